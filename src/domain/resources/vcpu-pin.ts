import type { LaunchConfig } from "../../config/launch.ts";
import { HostError } from "../../errors.ts";
import { formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import { setAffinity } from "../../host/taskset.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Value } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { ALL, canonical, hostReasons, resolveCpuList, shownMask } from "./cpu-list.ts";
import { pinning } from "./pinning.ts";
import type { ResourceKind } from "./resource.ts";
import { CHANGED } from "./row.ts";
import type { PinStep } from "./step.ts";
import { checkVcpu, outOfConfig, perVcpu, vcpuReasons } from "./vcpu-thread.ts";
import { stayingVcpus } from "./vcpus.ts";

/** The CPUs of the host that a vCPU's thread may run on: a Linux CPU list, or `all`. */
export interface PinChange {
  readonly resource: "vcpu-pin";
  readonly vcpu: number;
  readonly cpus: string;
}

/** `vcpupin`: the CPUs that a vCPU's thread may run on. */
export const vcpuPin: ResourceKind<PinChange, { readonly vcpus: { readonly pin: Readonly<Record<string, string | null>> } }> = {
  resource: "vcpu-pin",
  row: 50,
  label: ({ vcpu }) => `vcpu-pin ${vcpu}`,
  unit: "cpus",
  members: { vcpu: "number", cpus: "text" },
  inFile: {
    path: ["vcpus", "pin"],
    shape: '{"VCPU": CPULIST}',
    example: '{"0": "0-3"}',
    changes: (value, place, complain) =>
      perVcpu(
        value,
        place,
        (each, cpus) =>
          cpus === null || typeof cpus === "string" ? { resource: "vcpu-pin", vcpu: each, cpus: cpus ?? ALL } : 'a text, as "0-3", or null',
        complain,
      ),
  },
  needsGuest: false,
  stepKinds: [pinning],
  withValue: (change, value) => ({ ...change, cpus: String(value) }),
  check: ({ vcpu, cpus }) => {
    checkVcpu(vcpu);
    canonical(cpus);
  },
  wanted: ({ cpus }) => canonical(cpus),
  ofThreads: {
    thread: ({ vcpu }) => vcpu,
    had: ({ vcpus }) =>
      vcpus.flatMap(({ index, affinity }): readonly PinChange[] =>
        affinity === null ? [] : [{ resource: "vcpu-pin", vcpu: index, cpus: affinity }],
      ),
    due: (vcpu, config) => (typeof vcpu === "number" ? { resource: "vcpu-pin", vcpu, cpus: config?.vcpus.pin[String(vcpu)] ?? ALL } : null),
  },
  inConfig: ({ vcpu }, config) => pinOf(config, vcpu),
  edits: ({ vcpu, cpus }) => [{ path: ["vcpus", "pin", String(vcpu)], value: cpus === ALL ? undefined : canonical(cpus) }],
  applied: ({ vcpu, cpus }, config) => {
    // Copied whole and then changed: to copy all but one takes twenty times as long, and there can be thousands.
    const pin: Record<string, string> = { ...config.vcpus.pin };
    if (cpus === ALL) delete pin[String(vcpu)];
    else pin[String(vcpu)] = canonical(cpus);
    return { ...config, vcpus: { ...config.vcpus, pin } };
  },
  inLive: ({ vcpu }, live) => live.vcpus.find((it) => it.index === vcpu)?.affinity ?? null,
  needed: ({ vcpu, cpus }, { live, online }) => affinityOf(vcpu, live) !== formatCpuList(resolveCpuList(cpus, online)),
  command: ({ vcpu, cpus }, name) => `vcpupin ${shellWord(name)} ${vcpu} ${shellWord(cpus)}`,

  rows: (facts) => {
    const { config, live } = facts;
    const count = Math.max(config?.vcpus.max ?? 0, live?.maxVcpus ?? 0);
    return Array.from({ length: count }, (_, vcpu) => vcpu).flatMap((vcpu) => {
      const pin = config === null ? null : pinOf(config, vcpu);
      const mask = live === null ? null : liveMask(vcpu, { ...facts, live });
      const pinned = (pin !== null && pin !== ALL) || (mask !== null && mask !== ALL);
      return pinned ? [{ resource: `vcpu-pin ${vcpu}`, config: pin, live: mask, guest: null, why: whyPin(vcpu, pin, mask, facts) }] : [];
    });
  },

  // A vCPU that is about to leave needs no mask, and one that comes gets its own.
  revert: (facts) =>
    stayingVcpus(facts).flatMap((vcpu): readonly PinChange[] => {
      const [pin, mask] = [pinOf(facts.config, vcpu), liveMask(vcpu, facts)];
      return mask === null || pin === mask ? [] : [{ resource: "vcpu-pin", vcpu, cpus: String(pin) }];
    }),
  persist: (facts) =>
    facts.live.vcpus.flatMap(({ index }): readonly PinChange[] => {
      const mask = liveMask(index, facts);
      return mask === null || mask === pinOf(facts.config, index) ? [] : [{ resource: "vcpu-pin", vcpu: index, cpus: mask }];
    }),

  atStart: async ({ vcpus: { pin } }, live) => {
    const pinned = live.vcpus.filter((vcpu) => pin[String(vcpu.index)] !== undefined);
    if (pinned.length > 0 && live.pinObstacle !== null) throw new HostError(`its vCPUs can't be pinned: ${live.pinObstacle}`);
    await Promise.all(
      pinned.map(async ({ index, tid }) => {
        const wanted = formatCpuList(parseCpuList(pin[String(index)] ?? ""));
        const actual = formatCpuList(await setAffinity(tid, parseCpuList(wanted)));
        if (actual !== wanted) throw new HostError(`QEMU started with vCPU ${index} on CPUs ${actual}, the config says ${wanted}`);
      }),
    );
  },

  staticReasons: ({ vcpu, cpus }, facts) => [
    // A pin that goes away needs no room.
    ...(cpus === ALL ? [] : outOfConfig(vcpu, facts.after)),
    ...hostReasons(cpus, facts),
  ],

  liveReasons: (change, facts) => {
    const place = vcpuReasons(change.vcpu, "pinned", facts);
    return place.length > 0 ? place : hostReasons(change.cpus, facts);
  },

  steps: ({ vcpu, cpus }, { live }): readonly PinStep[] => [
    { kind: "pin", vcpu, cpus: canonical(cpus), before: affinityOf(vcpu, live), allowSubset: cpus === ALL },
  ],
};

/** The config's pin of a vCPU, in its shortest form; `all` where there is none. */
export function pinOf(config: LaunchConfig, vcpu: number): Value {
  const pin = config.vcpus.pin[String(vcpu)];
  return pin === undefined ? ALL : canonical(pin);
}

function affinityOf(vcpu: number, live: LiveFacts["live"]): string | null {
  return live.vcpus.find((it) => it.index === vcpu)?.affinity ?? null;
}

function whyPin(vcpu: number, pin: Value, mask: string | null, { live }: Facts): string | null {
  if (live === null || pin === null || pin === mask) return null;
  if (mask === null) return vcpu < live.maxVcpus ? "applied when the vCPU is plugged" : "waits for the next start";
  const inherited = pin === ALL && live.mainAffinity !== null && formatCpuList(live.mainAffinity) === mask;
  return inherited
    ? `inherited from its QEMU, which was started on CPU ${mask} (as taskset does): \`revert\` gives it all, \`persist\` pins it there`
    : CHANGED;
}

/**
 * A vCPU's live mask; `all` when it is no narrower than what it would have unpinned, and not what the config pins it to. Null when it has
 * no thread here.
 */
export function liveMask(vcpu: number, facts: LiveFacts): string | null {
  const affinity = facts.live.vcpus.find((it) => it.index === vcpu)?.affinity ?? null;
  return shownMask(affinity, facts.config === null ? null : pinOf(facts.config, vcpu), facts);
}
