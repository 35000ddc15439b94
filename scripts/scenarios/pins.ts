import { pid } from "node:process";
import type { Scope } from "../../src/domain/model/change.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";
import { readAffinity } from "../../src/host/taskset.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** Pins. QEMU takes no part in them, so threads and taskset are real even in a replay. */
export const pins: Scenarios = {
  vcpupin: {
    tells: "a vCPU's thread is bound to host CPUs in both halves, and unbound again",
    through: "library",
    setting: { vcpus: { current: 2 } },
    play: async ({ domain, config }) => {
      await domain.start({ paused: true });
      const [one, all] = await hostCpus();
      has(await domain.pinVcpu(0, one, { scope: "both" }), { outcome: /^(applied|unchanged)$/ });
      has(await maskOf(domain.vcpus(), 0), one);
      has(await maskOf(domain.vcpus(), 1), all);
      has(await config(), { vcpus: { pin: { 0: one } } });
      has(await domain.pinVcpu(0, "all", { scope: "both" }), { outcome: /^(applied|unchanged)$/ });
      has(await maskOf(domain.vcpus(), 0), all);
      has(await failure(domain.pinVcpu(0, "4000", { scope: "both" }), "refused"), {
        report: { refusals: [{ reason: /no CPU 4000/ }, { reason: /no CPU 4000/ }] },
      });
      has(await failure(domain.pinVcpu(2, one), "refused"), { message: /not plugged/ });
    },
  },

  emulatorpin: {
    tells: "QEMU's own threads are bound to host CPUs, in both halves, now and at a start, and let go again; vCPUs keep theirs",
    through: "library",
    setting: { vcpus: { current: 2 } },
    play: async ({ domain, config }) => {
      const { pid: first } = await domain.start({ paused: true });
      const [one, all] = await hostCpus();
      const set = (cpus: string, scope: Scope) => domain.change({ resource: "emulator-pin", cpus }, { scope });
      has(await set(one, "both"), { outcome: /^(applied|unchanged)$/ });
      has(await mask(first), one);
      has(await maskOf(domain.vcpus(), 1), all);
      has(await config(), { threads: { emulator: one } });
      has(await failure(set("4000", "both"), "refused"), {
        report: { refusals: [{ reason: /no CPU 4000/ }, { reason: /no CPU 4000/ }] },
      });
      // One that is plugged has all CPUs, though the thread that started it has fewer.
      has(await domain.setVcpus(3), { outcome: "applied" });
      has(await maskOf(domain.vcpus(), 2), all);
      has(await set("all", "dynamic"), { outcome: /^(applied|unchanged)$/ });
      has(await mask(first), all);
      has(await domain.revert({ resource: "emulator-pin" }), { outcome: /^(applied|unchanged)$/ });
      has(await mask(first), one);
      await domain.destroy();
      const { pid: second } = await domain.start({ paused: true });
      has(await mask(second), one);
      has(await maskOf(domain.vcpus(), 0), all);
    },
  },

  "all-at-once": {
    tells: "memory, vCPUs and a pin are one change of both halves; a plugged vCPU gets its pin",
    through: "library",
    play: async ({ domain, guest, config }) => {
      await domain.start();
      await guest.booted();
      const [one] = await hostCpus();
      const wanted = [
        { resource: "memory", size: 400 * MIB },
        { resource: "vcpus", count: 2 },
        { resource: "vcpu-pin", vcpu: 0, cpus: one },
      ] as const;
      has(await domain.change(wanted, { scope: "both" }), { outcome: "applied", changes: { length: 3 } });
      await guest.until({ cpus: 2, memory: 400 * MIB });
      has(await config(), { memory: { current: "400MiB" }, vcpus: { current: 2, pin: { 0: one } } });
      has(await maskOf(domain.vcpus(), 0), one);
      has(await domain.pinVcpu(2, one, { scope: "static" }), { outcome: "applied" });
      has(await domain.setVcpus(3), { outcome: "applied" });
      has(await maskOf(domain.vcpus(), 2), one);
    },
  },
};

/** One CPU that we may use, and all of them, as Linux CPU lists. */
export async function hostCpus(): Promise<readonly [string, string]> {
  const ours = await readAffinity(pid);
  return [String(Math.min(...ours)), formatCpuList(ours)];
}

/** The mask of a process's main thread, as a Linux CPU list. */
async function mask(process: number): Promise<string> {
  return formatCpuList(await readAffinity(process));
}

/** The mask of a vCPU's thread, as a Linux CPU list. */
export async function maskOf(
  vcpus: Promise<readonly { readonly vcpu: number; readonly affinity: string | null }[]>,
  vcpu: number,
): Promise<string | null | undefined> {
  return (await vcpus).find((it) => it.vcpu === vcpu)?.affinity;
}
