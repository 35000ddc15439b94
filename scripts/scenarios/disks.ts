import type { Change } from "../../src/domain/resources/registry.ts";
import type { Domain } from "../../src/index.ts";
import { DISK, DISK_ARGS } from "../lab/fake-disks.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";

/** Disks: their limits. */
export const disks: Scenarios = {
  blkdeviotune: {
    tells: "a disk is limited in both halves, now and at a start; two disks share a group; reverted and persisted",
    through: "library",
    setting: { args: [...DISK_ARGS, "-drive", "if=virtio,driver=null-co,size=1048576"] },
    play: async ({ domain, config }) => {
      const limit = (disk: string, limits: string): Change => ({ resource: "disk-throttle", disk, limits });
      await domain.start({ paused: true });
      has(await limitsOf(domain), { [DISK]: "none", virtio0: "none" });
      has(await domain.change(limit(DISK, "iops=100,bps=10M"), { scope: "both" }), { outcome: "applied" });
      has(await config(), { disks: { throttle: { [DISK]: { iops: 100, bps: 10_485_760 } } } });
      has(await domain.change(limit("virtio0", "iops-rd=9,iops-rd-max=20,group=slow")), { outcome: "applied" });
      has(await failure(domain.change(limit(DISK, "iops=5,group=slow")), "refused"), { message: /virtio0 in it/ });
      has(await domain.change(limit(DISK, "iops-rd=9,iops-rd-max=20,group=slow")), { outcome: "applied" });
      has(await failure(domain.change(limit("hda", "iops=5")), "refused"), { message: /no disk hda/ });
      has(await domain.persist({ resource: "disk-throttle" }), { outcome: "applied" });
      has(await domain.change(limit(DISK, "none"), { scope: "both" }), { outcome: "applied" });
      await domain.destroy();
      await domain.start({ paused: true });
      has(await limitsOf(domain), { [DISK]: "none", virtio0: "iops-rd=9,iops-rd-max=20,group=slow" });
      has(await domain.change(limit("virtio0", "none")), { outcome: "applied" });
      has(await domain.revert({ resource: "disk-throttle" }), { outcome: "applied" });
    },
  },
};

/** The limits of each disk on the running machine. */
async function limitsOf(domain: Domain): Promise<Readonly<Record<string, string | null>>> {
  return Object.fromEntries((await domain.disks()).map(({ disk, live }) => [disk, live]));
}
