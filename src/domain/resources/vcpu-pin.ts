import type { LaunchConfig } from "../../config/launch.ts";
import { UsageError } from "../../errors.ts";
import { type CpuSet, formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { shareThread } from "../facts/live.ts";
import type { Value } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { type Reason, type ResourceKind, when } from "./resource.ts";
import type { PinStep } from "./step.ts";

/** The CPUs of the host that a vCPU's thread may run on: a Linux CPU list, or `all`. */
export interface PinChange {
  readonly resource: "vcpu-pin";
  readonly vcpu: number;
  readonly cpus: string;
}

/** What is written for "not pinned": every CPU of the machine. */
export const ALL = "all";

/** A list in its shortest form; `all` stays `all`. @throws UsageError for what is neither */
export function canonical(cpus: string): string {
  return cpus === ALL ? ALL : formatCpuList(parseCpuList(cpus));
}

/** The set that a list means on this host. */
export function meant(cpus: string, online: CpuSet): CpuSet {
  return cpus === ALL ? online : parseCpuList(cpus);
}

/** `vcpupin`: the CPUs that a vCPU's thread may run on. */
export const vcpuPin: ResourceKind<PinChange> = {
  resource: "vcpu-pin",
  row: 50,
  label: ({ vcpu }) => `vcpu-pin ${vcpu}`,
  format: String,
  withValue: (change, value) => ({ ...change, cpus: String(value) }),
  check: ({ vcpu, cpus }) => {
    if (!Number.isSafeInteger(vcpu) || vcpu < 0)
      throw new UsageError(`vCPU ${vcpu}: no such vCPU`, { value: vcpu, expected: "a vCPU's number, from 0" });
    canonical(cpus);
  },
  wanted: ({ cpus }) => canonical(cpus),
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
  needed: ({ vcpu, cpus }, { live, online }) => affinityOf(vcpu, live) !== formatCpuList(meant(cpus, online)),
  command: ({ vcpu, cpus }, name) => `vcpupin ${shellWord(name)} ${vcpu} ${shellWord(cpus)}`,

  staticReasons: ({ vcpu, cpus }, facts) => [
    // A pin that goes away needs no room.
    ...when(cpus !== ALL && vcpu >= facts.after.vcpus.max, () => ({
      reason: `vCPU ${vcpu} is out of range of the config, which has room for ${facts.after.vcpus.max}`,
      instead: `a vCPU from 0 to ${facts.after.vcpus.max - 1}`,
    })),
    ...hostReasons(cpus, facts),
  ],

  liveReasons: (change, facts) => {
    const place = placeReasons(change, facts);
    return place.length > 0 ? place : hostReasons(change.cpus, facts);
  },

  steps: ({ vcpu, cpus }, { live }): readonly PinStep[] => [
    { kind: "pin", vcpu, cpus: canonical(cpus), before: affinityOf(vcpu, live), upTo: cpus === ALL },
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

function placeReasons({ vcpu }: PinChange, { live, coming }: LiveFacts): readonly Reason[] {
  const why = live.noThreads ?? (live.pid === null ? "the machine's threads are not on this host" : null);
  if (why !== null)
    return [
      {
        reason: `vCPU ${vcpu} can't be pinned: ${why}`,
        instead: shareThread(live.vcpus.map(({ tid }) => tid))
          ? "one thread each: -accel tcg,thread=multi"
          : "on the host where its QEMU runs, by its own socket",
      },
    ];
  if (live.vcpus.some((it) => it.index === vcpu) || coming?.has(vcpu) === true) return [];
  if (vcpu < live.maxVcpus) {
    return [
      {
        reason: `vCPU ${vcpu} is not plugged, so it has no thread yet`,
        instead: "--static: a pin of the config is applied when it is plugged",
      },
    ];
  }
  return [
    {
      reason: `vCPU ${vcpu} is out of range of the running machine, which has room for ${live.maxVcpus}`,
      instead: `a vCPU from 0 to ${live.maxVcpus - 1}`,
    },
  ];
}

function hostReasons(cpus: string, { online, present }: Facts): readonly Reason[] {
  if (cpus === ALL) return [];
  const wanted = [...parseCpuList(cpus)];
  const absent = wanted.filter((cpu) => !present.has(cpu));
  const offline = wanted.filter((cpu) => present.has(cpu) && !online.has(cpu));
  const instead = `CPUs out of ${formatCpuList(online)}`;
  return [
    ...when(absent.length > 0, () => ({ reason: `this host has no CPU ${formatCpuList(new Set(absent))}`, instead })),
    ...when(offline.length > 0, () => ({ reason: `CPU ${formatCpuList(new Set(offline))} of this host is offline`, instead })),
  ];
}
