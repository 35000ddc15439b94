import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Qemu, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { ChangeError } from "../../src/domain/change/errors.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

// DIMMs whose memory comes from something else than usual: somebody plugged them, and a change that fails has to put them back.

const gone = (id: string): Change => ({ resource: "dimm", id, size: 0, node: 0 });

/** Plugs a DIMM past the product. */
async function plug({ ask }: Scene, { major }: Qemu, id: string, backend: Readonly<Record<string, unknown>>): Promise<void> {
  const { "qom-type": type, ...props } = backend;
  const sized = { size: 128 * MIB, ...props };
  await ask("object-add", { "qom-type": type, id: `${id}-m`, ...(major < 6 ? { props: sized } : sized) });
  await ask("device_add", { driver: "pc-dimm", id, memdev: `${id}-m` });
}

/** Has a DIMM unplugged, and interrupts that when it has left. */
async function interrupted({ domain }: Scene, id: string): Promise<unknown> {
  const stop = new AbortController();
  const onProgress = ({ what, actual }: { readonly what: string; readonly actual: unknown }): void => {
    if (what === `DIMM ${id}` && actual === 0) stop.abort(new Error("enough"));
  };
  return domain.change(gone(id), { signal: stop.signal, timeout: 20_000, onProgress }).then(
    () => "done",
    (error: unknown) => error,
  );
}

const all = await qemusInTime();

// It takes a guest that lets go four times: where time is short, on the newest alone.
describe.each(process.env["QMPCTL_QEMUS"] === "two" ? all.slice(-1) : all)("a DIMM on QEMU $version", (qemu) => {
  test("comes back on memory of its own kind when its unplug is undone; one that QEMU does not tell whole is kept", async () => {
    await using scene = await openScene(qemu, {
      memory: { max: "256MiB", current: "256MiB", hotplug: { slots: 4, limit: "4GiB" } },
      args: qemu.major < 7 ? [] : ["-object", "thread-context,id=tc0"],
    });
    const { ask, domain, folder } = scene;
    await scene.start();
    await plug(scene, qemu, "d.fd", { "qom-type": "memory-backend-memfd", share: false, seal: false });
    await plug(scene, qemu, "d.file", { "qom-type": "memory-backend-file", "mem-path": join(folder, "a,b"), share: true, prealloc: true });
    const has = async (id: string, ...names: readonly string[]): Promise<readonly unknown[]> =>
      Promise.all(names.map((property) => ask("qom-get", { path: `/objects/${id}`, property })));
    const told = async (): Promise<unknown> => [
      await has("d.fd-m", "type", "share", "seal", "hugetlb", "dump"),
      await has("d.file-m", "type", "share", "prealloc", "mem-path"),
    ];
    const before = await told();
    for (const id of ["d.fd", "d.file"]) {
      const error = await interrupted(scene, id);
      expect(error).toBeInstanceOf(ChangeError);
      expect((error as ChangeError).report).toMatchObject({ outcome: "rolled-back", steps: [{ outcome: "undone" }] });
    }
    expect(await told()).toEqual(before);
    expect((await domain.change(gone("d.fd"))).outcome).toBe("applied");

    if (qemu.major < 7) return;
    await plug(scene, qemu, "d.tc", { "qom-type": "memory-backend-ram", prealloc: true, "prealloc-context": "tc0" });
    expect(await scene.cli("unplugmem", "web", "d.tc")).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/DIMM d.tc could not be plugged back: of its memory d.tc-m, it is a memory-backend-ram with/) as string,
    });
    expect((await scene.cli("unplugmem", "web", "d.tc", "--force")).code).toBe(0);
  });
});
