import type { Domain } from "../../src/index.ts";
import { failure, has } from "./expect.ts";
import { hostCpus } from "./pins.ts";
import type { Scenarios } from "./scenario.ts";

/**
 * Iothreads come and go, and threads get CPUs and policies. Threads, taskset and chrt are real even in a replay. Only policies that take no
 * rights: a replay may not have them. Threads of vhost devices are the kernel's, for which it takes /dev/vhost-net, and QEMU says nothing
 * of
 * them: so only what is said where there are none.
 */
export const threads: Scenarios = {
  iothreads: {
    tells:
      "an iothread is added with its settings, CPUs and policy in both halves, is there after a restart, and goes again; one in use stays",
    through: "library",
    setting: { args: ["-object", "iothread,id=io0", "-device", "virtio-scsi-pci,id=scsi0,iothread=io0"] },
    play: async ({ domain }) => {
      await domain.start({ paused: true });
      const [one] = await hostCpus();
      const iothread = "io1";
      const added = [
        { resource: "iothread", iothread, state: "present" },
        { resource: "iothread-set", iothread, settings: "poll-max-ns=0" },
        { resource: "iothread-pin", iothread, cpus: one },
        { resource: "iothread-sched", iothread, policy: "batch" },
      ] as const;
      const removed = { resource: "iothread", iothread, state: "absent" } as const;
      has(await domain.change(added, { scope: "both" }), { outcome: "applied", changes: { length: 4 } });
      has(await failure(domain.change({ ...removed, iothread: "io0" }, { scope: "both" }), "refused"), {
        report: { refusals: [{ reason: /is in use in the config: -device virtio-scsi-pci/ }, { reason: /is in use: by scsi0/ }] },
      });
      await domain.destroy();
      await domain.start({ paused: true });
      const ours = (await domain.threads()).find(({ of }) => of === iothread);
      has(ours, { role: "iothread", affinity: one, policy: "batch", pin: one, sched: "batch" });
      has(await domain.change(removed, { scope: "dynamic" }), { outcome: "applied" });
      has(await domain.revert({ resource: "iothread" }), { outcome: "applied" });
      has(await domain.change(removed, { scope: "both" }), { outcome: "applied" });
    },
  },

  sched: {
    tells: "vCPUs, QEMU's own threads and iothreads get policies in both halves, have them at a start, and are reverted and persisted",
    through: "library",
    setting: { vcpus: { current: 2 }, args: ["-object", "iothread,id=io0"] },
    play: async ({ domain, config }) => {
      await domain.start({ paused: true });
      const vcpu = (policy: string) => ({ resource: "vcpu-sched", vcpu: 1, policy }) as const;
      const emulator = (policy: string) => ({ resource: "emulator-sched", policy }) as const;
      const io0 = (policy: string) => ({ resource: "iothread-sched", iothread: "io0", policy }) as const;
      has(await policies(domain), { "vcpu 0": "other", "vcpu 1": "other", main: "other", "iothread io0": "other" });
      has(await domain.change([vcpu("batch"), emulator("batch"), io0("batch")], { scope: "both" }), { outcome: "applied" });
      const wanted = { "vcpu 0": "other", "vcpu 1": "batch", main: "batch", "iothread io0": "batch" };
      has(await policies(domain), wanted);
      has(await config(), { vcpus: { sched: { 1: "batch" } }, threads: { emulatorSched: "batch", iothreadsSched: { io0: "batch" } } });
      has(await failure(domain.change({ ...vcpu("batch"), vcpu: 3 }), "refused"), { message: /not plugged/ });
      has(await failure(domain.change(io0("fifo"), { scope: "both" }), "usage"), { message: /fifo/ });
      has(await domain.change([vcpu("other"), io0("other")]), { outcome: "applied" });
      has(await domain.persist({ resource: "vcpu-sched" }), { outcome: "applied" });
      has(await domain.revert({ resource: "iothread-sched" }), { outcome: "applied" });
      await domain.destroy();
      await domain.start({ paused: true });
      has(await policies(domain), { ...wanted, "vcpu 1": "other" });
      // One that is plugged does not inherit that of the thread that starts it.
      has(await domain.setVcpus(3), { outcome: "applied" });
      has(await policies(domain), { "vcpu 2": "other" });
    },
  },

  "vhost-pin": {
    tells: "a machine without vhost devices is refused their CPUs now, and keeps them in its config for the next start",
    through: "library",
    play: async ({ domain, config }) => {
      await domain.start({ paused: true });
      const [one] = await hostCpus();
      const change = { resource: "vhost-pin", cpus: one } as const;
      has(await failure(domain.change(change, { scope: "both" }), "refused"), {
        report: { refusals: [{ leg: "dynamic", reason: /vhost/ }] },
      });
      has(await domain.change(change, { scope: "static" }), { outcome: "applied" });
      has(await config(), { threads: { vhost: one } });
      has(
        (await domain.diff()).find(({ resource }) => resource === "vhost-pin"),
        { config: one, live: null },
      );
      await domain.destroy();
      await domain.start({ paused: true });
      has(await domain.change({ ...change, cpus: "all" }, { scope: "static" }), { outcome: "applied" });
      has(await domain.revert({ resource: "vhost-pin" }), { outcome: "unchanged" });
    },
  },
};

/** The policy of each thread by what it is. */
async function policies(domain: Domain): Promise<Readonly<Record<string, string | null>>> {
  const named = (await domain.threads()).map(({ role, of, policy }) => [of === null ? role : `${role} ${of}`, policy] as const);
  return Object.fromEntries(named);
}
