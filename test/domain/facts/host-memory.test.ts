import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { GIB, MIB } from "../../../scripts/lab/facts.ts";
import { keepersIn } from "../../../src/domain/facts/balloon-keepers.ts";
import { wholeMemory } from "../../../src/domain/resources/whole-memory.ts";
import { residentOf } from "../../../src/host/resident.ts";
import { CommandError } from "../../../src/qmp/errors.ts";
import type { Session } from "../../../src/qmp/session.ts";
import { failure, runningDomain } from "../scene.ts";

const near = (one: number | null | undefined, other: number | null | undefined) =>
  expect(Math.abs((one ?? NaN) - (other ?? NaN))).toBeLessThan(24 * MIB);

test("a change of memory tells what its process had in the host's RAM, and has; so do diff and info", async () => {
  const { domain, process } = await runningDomain();
  const { host, hostDenied } = await domain.setMemory(1500 * MIB);
  expect(hostDenied).toBeUndefined();
  near(host?.before.resident, residentOf(process.pid, process.pid));
  near(host?.after.resident, residentOf(process.pid, process.pid));
  expect(host).toMatchObject({ givenUp: 0, why: [] });
  near((await domain.diff())[0]?.host, residentOf(process.pid, process.pid));
  near((await domain.info()).live?.host, residentOf(process.pid, process.pid));
  // Its process is small: the host can't get what it never had for it.
  expect((await domain.setMemory(GIB)).host).toMatchObject({
    givenUp: 476 * MIB,
    why: [expect.stringMatching(/^the host held only \d+MiB of the guest's 1500MiB before: /)],
  });
});

test("so does setmem, whose change is worked out from what the machine has", async () => {
  const { domain, process } = await runningDomain();
  near((await domain.change(wholeMemory(1500 * MIB))).host?.after.resident, residentOf(process.pid, process.pid));
});

test("nothing is said of it where no memory moves: another resource, the config alone, what is so already, a dry run", async () => {
  const { domain } = await runningDomain();
  expect(await domain.setVcpus(3)).not.toHaveProperty("host");
  expect(await domain.setMemory(1500 * MIB, { scope: "static" })).not.toHaveProperty("host");
  expect(await domain.setMemory(GIB)).not.toHaveProperty("host");
  expect(await domain.setMemory(900 * MIB, { dryRun: true })).not.toHaveProperty("host");
});

test("nothing is said of it where QEMU's threads are not here", async () => {
  const { domain, qemu, process } = await runningDomain();
  // As behind a tunnel: ids of another host's threads.
  const cpus = qemu.answers["query-cpus-fast"];
  qemu.answers["query-cpus-fast"] = async (args) =>
    ((await cpus?.(args)) as readonly object[]).map((cpu) => ({ ...cpu, "thread-id": 2 ** 22 + 1 }));
  const report = await domain.setMemory(1500 * MIB);
  expect(report).toMatchObject({ outcome: "applied" });
  expect(report).not.toHaveProperty("host");
  expect((await domain.diff())[0]).not.toHaveProperty("host");
  expect((await domain.info()).live).not.toHaveProperty("host");
  expect(residentOf(process.pid, process.pid)).not.toBeNull();
});

test("a change that was undone tells it too", async () => {
  const scene = await runningDomain();
  // Somebody edits the config while the balloon moves.
  const path = scene.domain.configPath ?? "";
  const text = await scene.text();
  scene.qemu.after("balloon", () => writeFile(path, `${text}\n`));
  const { report } = await failure(scene.domain.setMemory(1500 * MIB, { scope: "both" }));
  expect(report).toMatchObject({ outcome: "rolled-back", host: { givenUp: 0, before: { resident: expect.any(Number) } } });
});

test("VFIO devices keep QEMU from freeing memory, but for those that say that they don't", async () => {
  const devices: Readonly<Record<string, readonly string[]>> = {
    "/machine/peripheral": ["gpu.0", "child<vfio-pci>", "mdev", "child<vfio-pci>", "balloon0", "child<virtio-balloon-pci>"],
    "/machine/peripheral-anon": ["device[3]", "child<vfio-ap>"],
  };
  const execute = async (command: string, { path = "" }: { readonly path?: string }): Promise<unknown> => {
    const list = devices[path] ?? [];
    if (command === "qom-list") return list.flatMap((name, at) => (at % 2 === 0 ? [{ name, type: list[at + 1] }] : []));
    if (path.endsWith("device[3]")) throw new CommandError("qom-get", { class: "GenericError", desc: "no such property" });
    return path.endsWith("mdev");
  };
  expect(await keepersIn({ execute } as unknown as Session)).toEqual(["gpu.0", "/machine/peripheral-anon/device[3]"]);
  expect(await keepersIn({ execute: async () => [] } as unknown as Session)).toEqual([]);
});
