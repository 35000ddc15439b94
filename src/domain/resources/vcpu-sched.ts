import { HostError } from "../../errors.ts";
import { readScheduling } from "../facts/read-threads.ts";
import { ownValue } from "./cpu-list.ts";
import type { ResourceKind } from "./resource.ts";
import { OTHER, schedKind } from "./sched-kind.ts";
import { ofVcpu, schedule } from "./sched-step.ts";
import { checkVcpu, outOfConfig, perVcpu, vcpuReasons } from "./vcpu-thread.ts";
import { stayingVcpus } from "./vcpus.ts";

/** The scheduling policy of a vCPU's thread: `other`, `batch`, `idle`, `fifo:N` or `rr:N`. */
export interface VcpuSchedChange {
  readonly resource: "vcpu-sched";
  readonly vcpu: number;
  readonly policy: string;
}

/** `vcpusched`: the scheduling policy of a vCPU's thread. */
export const vcpuSched: ResourceKind<VcpuSchedChange, { readonly vcpus: { readonly sched: Readonly<Record<string, string | null>> } }> =
  schedKind({
    resource: "vcpu-sched",
    row: 55,
    members: { vcpu: "number", policy: "text" },
    inFile: {
      path: ["vcpus", "sched"],
      shape: '{"VCPU": POLICY}',
      example: '{"0": "batch"}',
      changes: (value, place, complain) =>
        perVcpu(
          value,
          place,
          (vcpu, policy): VcpuSchedChange | string =>
            policy === null || typeof policy === "string"
              ? { resource: "vcpu-sched", vcpu, policy: policy ?? OTHER }
              : 'a text, as "batch", or null',
          complain,
        ),
    },
    reads: [readScheduling],
    threads: ofVcpu,
    target: ({ vcpu }) => vcpu,
    comesAndGoes: { thread: ({ vcpu }) => vcpu, target: (thread) => (typeof thread === "number" ? thread : null) },
    make: (vcpu, policy) => ({ resource: "vcpu-sched", vcpu, policy }),
    targets: ({ config, live }) => Array.from({ length: Math.max(config?.vcpus.max ?? 0, live?.maxVcpus ?? 0) }, (_, vcpu) => vcpu),
    // A vCPU that is about to leave needs no policy, and one that comes gets its own.
    staying: (facts) => stayingVcpus(facts),
    path: (vcpu) => ["vcpus", "sched", String(vcpu)],
    stored: (vcpu, { vcpus: { sched } }) => ownValue(sched, String(vcpu)),
    applied: (vcpu, config, policy) => {
      const sched: Record<string, string> = { ...config.vcpus.sched };
      if (policy === undefined) delete sched[String(vcpu)];
      else sched[String(vcpu)] = policy;
      return { ...config, vcpus: { ...config.vcpus, sched } };
    },
    words: (vcpu) => ["vcpusched", String(vcpu)],
    check: checkVcpu,
    outOfRange: outOfConfig,
    missing: (vcpu, facts) => vcpuReasons(vcpu, "given a policy", facts),
    waits: "applied when the vCPU is plugged",

    atStart: async ({ vcpus: { sched = {} } }, live) => {
      const ours = live.vcpus.filter(({ index }) => sched[String(index)] !== undefined);
      if (ours.length > 0 && live.pinObstacle !== null) throw new HostError(`its vCPUs can't be given a policy: ${live.pinObstacle}`);
      for (const { index, tid } of ours) await schedule(ofVcpu.name(index), [tid], () => sched[String(index)] ?? OTHER, 5000);
    },
  });
