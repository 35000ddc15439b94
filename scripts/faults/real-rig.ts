/// <reference lib="esnext.disposable" />
import { join } from "node:path";
import type { Qemu } from "../../test/qemu/machine.ts";
import { openScene } from "../../test/qemu/scene.ts";
import { Proxy } from "./proxy.ts";
import { type Look, maskOf, type Rig } from "./rig.ts";

/** A QEMU under software emulation starts no more vCPU threads in its life than it has room for: room for many changes. */
const ROOM = 64;
/** Before this QEMU a vCPU that was unplugged can't come back (software emulation). */
const REPLUGS = 10;

interface Cpu {
  readonly "cpu-index": number;
  readonly "thread-id": number;
}

/** Starts a real QEMU with its guest: 512 MiB, one vCPU, no pins. */
export async function openReal(qemu: Qemu): Promise<Rig> {
  const scene = await openScene(qemu, { name: "web", vcpus: { max: qemu.major >= REPLUGS ? ROOM : 4, current: 1 } });
  try {
    await scene.start();
    const runtime = join(scene.folder, "run", "web");
    const pid = await scene.pid();
    const proxy = await Proxy.before(join(runtime, "control.sock"));
    let gone = false;
    const look = async (): Promise<Look | null> => {
      if (gone) return null;
      const [cpus, memory] = await Promise.all([scene.ask("query-cpus-fast") as Promise<readonly Cpu[]>, scene.ask("query-balloon")]);
      const masks = await Promise.all(cpus.map(async (cpu) => [cpu["cpu-index"], await maskOf(cpu["thread-id"])] as const));
      return { memory: (memory as { actual: number }).actual, vcpus: cpus.length, masks: Object.fromEntries(masks) };
    };
    const mask = (await scene.mask(0)) ?? "";
    return {
      name: `QEMU ${qemu.version}`,
      real: true,
      ends: { pinned: qemu.major >= REPLUGS ? [0, 1] : [0], base: { memory: "512MiB", vcpus: 1, mask }, wanted: { memory: "400MiB", vcpus: qemu.major >= REPLUGS ? 2 : 1, mask: "0" } },
      limits: { maxMemory: 512, maxVcpus: qemu.major >= REPLUGS ? ROOM : 4 },
      configPath: scene.domain.configPath ?? "",
      runtime,
      options: { configDir: join(scene.folder, "config"), runtimeDir: join(scene.folder, "run") },
      domain: scene.domain,
      proxy,
      pid,
      look,
      killQemu: async () => {
        gone = true;
        await scene.kill();
      },
      [Symbol.asyncDispose]: async () => {
        await proxy[Symbol.asyncDispose]();
        await scene[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await scene[Symbol.asyncDispose]();
    throw error;
  }
}
