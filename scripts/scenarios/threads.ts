import { failure, has } from "./expect.ts";
import { hostCpus } from "./pins.ts";
import type { Scenarios } from "./scenario.ts";

/** Iothreads come and go, and get CPUs and policies. Threads, taskset and chrt are real even in a replay. */
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
};
