import type { LaunchConfig } from "../../config/launch.ts";
import { UsageError } from "../../errors.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { shareThread } from "../facts/live.ts";
import { type Complain, type Reason, when } from "./resource.ts";

/** @throws UsageError for a number that no vCPU can have */
export function checkVcpu(vcpu: number): void {
  if (!Number.isSafeInteger(vcpu) || vcpu < 0)
    throw new UsageError(`vCPU ${vcpu}: no such vCPU`, { value: vcpu, expected: "a vCPU's number, from 0" });
}

/** Why nothing can be done to a vCPU's thread; none where it can. `done` is what is to be done, as `pinned`. */
export function vcpuReasons(vcpu: number, done: string, { live, beingPlugged }: LiveFacts): readonly Reason[] {
  const why = live.pinObstacle ?? (live.pid === null ? "the machine's threads are not on this host" : null);
  if (why !== null)
    return [
      {
        reason: `vCPU ${vcpu} can't be ${done}: ${why}`,
        instead: shareThread(live.vcpus.map(({ tid }) => tid))
          ? "one thread each: -accel tcg,thread=multi"
          : "on the host where its QEMU runs, by its own socket",
      },
    ];
  if (live.vcpus.some((it) => it.index === vcpu) || beingPlugged?.has(vcpu) === true) return [];
  if (vcpu < live.maxVcpus) {
    return [
      {
        reason: `vCPU ${vcpu} is not plugged, so it has no thread yet`,
        instead: "--static: what the config has for it is applied when it is plugged",
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

/** Why the config can't have something for a vCPU: it has no room for it. */
export function outOfConfig(vcpu: number, { vcpus: { max } }: LaunchConfig): readonly Reason[] {
  return when(vcpu >= max, () => ({
    reason: `vCPU ${vcpu} is out of range of the config, which has room for ${max}`,
    instead: `a vCPU from 0 to ${max - 1}`,
  }));
}

/** As many as a machine can have room for. */
const MOST_VCPUS = 4096;

/**
 * The changes of an allocation file that has one value for each vCPU. `of` makes one, or says what the value should be.
 *
 * @throws UsageError for a key that is no vCPU's number
 */
export function perVcpu<C>(
  value: unknown,
  place: string,
  of: (vcpu: number, value: unknown) => C | string,
  complain: Complain,
): readonly C[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    complain(place, value, 'an object, as {"0": …}');
    return [];
  }
  return Object.entries(value).flatMap(([key, each]: readonly [string, unknown]): readonly C[] => {
    const made = of(indexOf(key, place), each);
    if (typeof made !== "string") return [made];
    complain(`${place}.${key}`, each, made);
    return [];
  });
}

function indexOf(key: string, place: string): number {
  if (/^(0|[1-9]\d{0,3})$/.test(key) && Number(key) < MOST_VCPUS) return Number(key);
  throw new UsageError(`allocation: ${place}.${key.slice(0, 60)}: not a vCPU's number`, {
    value: key,
    expected: `a vCPU's number, from 0 to ${MOST_VCPUS - 1}`,
  });
}
