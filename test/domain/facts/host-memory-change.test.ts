import { describe, expect, test } from "vitest";
import { MIB } from "../../../scripts/lab/facts.ts";
import { hostChange, type HostSide } from "../../../src/domain/facts/host-memory-change.ts";
import type { HostMemory } from "../../../src/domain/facts/host-part.ts";

/** A machine of 512 MiB, in MiB: what the balloon leaves its guest, and what the host has for it. */
function side(actual: number, host: Partial<HostMemory> & { readonly resident: number }, virtioMem?: number): HostSide {
  const rest = { share: null, swapped: 0, huge: 0, transparentHuge: null, locked: 0, pinned: 0 };
  const bytes = Object.fromEntries(Object.entries({ ...rest, ...host }).map(([k, v]) => [k, typeof v === "number" ? v * MIB : v]));
  return {
    memory: {
      ...{ size: 512 * MIB, actual: actual * MIB, balloon: "/b", guest: null },
      ...(virtioMem === undefined ? {} : { virtioMem: virtioMem * MIB }),
    },
    host: bytes as unknown as HostMemory,
  };
}

const why = (before: HostSide, after: HostSide) => hostChange(before, after)?.why;

describe("what the host got", () => {
  test("is what the guest gave up, and needs no reason then; nor does what differs by a little", () => {
    expect(hostChange(side(512, { resident: 540 }), side(300, { resident: 328 }))).toMatchObject({
      givenUp: 212 * MIB,
      freed: 212 * MIB,
      why: [],
    });
    expect(why(side(512, { resident: 500 }), side(300, { resident: 300 }))).toEqual([]);
    expect(why(side(512, { resident: 540 }), side(511.5, { resident: 540 }))).toEqual([]);
  });

  test("is nothing of a guest that was given memory", () => {
    const end = hostChange(side(300, { resident: 328, locked: 512 }), side(512, { resident: 330, locked: 512 }));
    expect(end).toMatchObject({ givenUp: 0, freed: 0, why: [] });
  });

  test("counts memory that comes and goes beside the balloon", () => {
    expect(hostChange(side(512, { resident: 700 }, 256), side(512, { resident: 500 }, 128))).toMatchObject({ givenUp: 128 * MIB });
  });

  test.each<[string, Partial<HostMemory>, Partial<HostMemory>, string]>([
    [
      "huge pages",
      { huge: 388 },
      { huge: 400 },
      "400MiB are huge pages (hugetlbfs), and one goes back only when the guest has given up all of it",
    ],
    ["locked memory", { locked: 1838 }, { locked: 1838 }, "1838MiB are locked (VmLck), and the kernel frees no locked page"],
    ["pinned memory", { pinned: 512 }, { pinned: 512 }, "512MiB are pinned by devices (VmPin)"],
    ["a device", {}, { keepers: ["gpu0", "nic0"] }, "QEMU frees nothing of it while it has gpu0, nic0 (VFIO)"],
    ["swap", { swapped: 150 }, { swapped: 2 }, "148MiB were in swap, and are freed there"],
  ])("less than the guest gave up: %s", (_, had, has, reason) => {
    expect(why(side(512, { resident: 540, ...had }), side(300, { resident: 540, ...has }))).toEqual([reason]);
  });

  test("less than the guest gave up, as the host had less for it than it had", () => {
    expect(why(side(512, { resident: 230 }), side(300, { resident: 210 }))).toEqual([
      "the host held only 230MiB of the guest's 512MiB before: memory that a guest never touched, or gave up earlier, frees nothing",
    ]);
  });

  test("less than the guest gave up, for several reasons, and for none that is known", () => {
    const had = { resident: 400, locked: 100, pinned: 50 };
    expect(why(side(512, had), side(300, had))).toHaveLength(3);
    expect(why(side(512, { resident: 540 }), side(300, { resident: 540 }))).toEqual([]);
  });

  test("is not known without a look before and after", () => {
    const { host: _, ...blind } = side(512, { resident: 540 });
    expect([hostChange(blind, side(300, { resident: 328 })), hostChange(side(300, { resident: 328 }), blind)]).toEqual([null, null]);
  });
});
