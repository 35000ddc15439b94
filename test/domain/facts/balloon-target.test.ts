import { describe, expect, test } from "vitest";
import { GIB, MIB } from "../../../scripts/lab/facts.ts";
import { readBalloonTarget } from "../../../src/domain/facts/balloon-target.ts";
import { CommandError } from "../../../src/qmp/errors.ts";
import type { Session } from "../../../src/qmp/session.ts";
import { runningDomain } from "../scene.ts";

const device = (changes: object = {}): object => ({
  id: { vendor: 0x1af4, device: 0x1045 },
  regions: [
    { bar: 0, address: 0x1000 },
    { bar: 4, address: 0xfe000000 },
  ],
  ...changes,
});
const bridge = (...devices: readonly object[]): object => ({ id: { vendor: 0x1b36, device: 12 }, regions: [], pci_bridge: { devices } });

/** What a machine of 2 GiB with these devices is asked, and answers. */
async function target(
  devices: readonly object[],
  says: unknown = "00000000fe002000: 0x00040000\r\n",
): Promise<{ readonly found: number | null; readonly asked: readonly unknown[] }> {
  const asked: unknown[] = [];
  const execute = async (command: string, args?: { "command-line": string }): Promise<unknown> => {
    if (command === "query-pci") return [{ bus: 0, devices }];
    asked.push(args?.["command-line"]);
    return says instanceof Error ? Promise.reject(says) : says;
  };
  return { found: await readBalloonTarget({ execute } as unknown as Session, 2 * GIB), asked };
}

describe("the balloon's target", () => {
  test("is read from the device's registers: what is missing of the machine's size, in pages", async () => {
    expect(await target([device()])).toEqual({ found: GIB, asked: ["xp /1wx 0xfe002000"] });
    expect((await target([device()], "fe002000: 0x00000000")).found).toBe(2 * GIB);
    expect((await target([device({ id: { vendor: 0x1af4, device: 0x1002 } })])).found).toBe(GIB);
  });

  test("is found behind bridges, and beyond 4 GiB", async () => {
    expect((await target([bridge(bridge(device()))])).found).toBe(GIB);
    expect(await target([bridge(), device({ regions: [{ bar: 4, address: 0x3800000000 }] })], "3800002000: 0x00040000")).toEqual({
      found: GIB,
      asked: ["xp /1wx 0x3800002000"],
    });
  });

  test.each<readonly [string, readonly object[]]>([
    ["there is none", []],
    ["it is another virtio device", [device({ id: { vendor: 0x1af4, device: 0x1041 } })]],
    ["it is somebody else's device", [device({ id: { vendor: 0x8086, device: 0x1045 } })]],
    ["the firmware has not placed it yet", [device({ regions: [{ bar: 4, address: -1 }] })]],
    ["it has no such region", [device({ regions: [{ bar: 0, address: 0x1000 }] })]],
  ])("is not known where %s, and nothing is read", async (_why, devices) => {
    expect(await target(devices)).toEqual({ found: null, asked: [] });
  });

  test.each([["Cannot access memory\r\n"], [""], ["fe002000: 0x0004"], [new CommandError("x", { class: "GenericError", desc: "no" })]])(
    "is not known where the register says %j",
    async (says) => {
      expect((await target([device()], says)).found).toBeNull();
    },
  );
});

test("a target that another client has set since is known by the device, and the note of ours is not believed", async () => {
  const { domain, qemu, sent } = await runningDomain();
  qemu.guestObeys = false;
  await domain.setMemory(300 * MIB, { timeout: 1000 });
  qemu.target = 512 * MIB;
  expect((await domain.diff()).find(({ resource }) => resource === "memory")?.why).toMatch(/512MiB/);
  // It is asked for again, as it is no longer what the machine has.
  expect(await domain.setMemory(300 * MIB, { timeout: 1000 })).toMatchObject({ outcome: "pending" });
  expect(sent()).toEqual([`balloon {"value":${300 * MIB}}`, `balloon {"value":${300 * MIB}}`]);
});
