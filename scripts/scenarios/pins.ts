import { pid } from "node:process";
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

/** The mask of a vCPU's thread, as a Linux CPU list. */
export async function maskOf(
  vcpus: Promise<readonly { readonly vcpu: number; readonly affinity: string | null }[]>,
  vcpu: number,
): Promise<string | null | undefined> {
  return (await vcpus).find((it) => it.vcpu === vcpu)?.affinity;
}
