import { virtioMemsInArgs } from "../../config/memory-in-args.ts";
import { formatSize } from "../../config/size.ts";
import type { Facts } from "../facts/facts.ts";
import { type VirtioMem, virtioMemsIn } from "../facts/memory-devices.ts";
import type { Refusal, Scope } from "../model/change.ts";
import { checkSize, hasBalloon } from "./memory-checks.ts";
import type { MemoryChange } from "./memory.ts";
import type { MemoryPluggedChange } from "./virtio-mem.ts";

/** Changes that are worked out from what the machine has; `refusals` say why it is not clear which. */
export interface WholeMemory {
  (facts: Facts, scope: Scope): readonly (MemoryChange | MemoryPluggedChange)[];
  readonly oneHalf: true;
  readonly among: readonly ["memory", "memory-plugged"];
  readonly asks: { readonly name: "wholeMemory"; readonly args: readonly [size: number] };
  readonly refusals: (facts: Facts, scope: Scope) => readonly Refusal[];
}

/**
 * The change that gives the guest so many bytes, by what the machine has: its balloon, or a virtio-mem device, which is then asked for what
 * `size` has above the rest of the machine's memory. With both, or several devices, it is refused, with those that there are.
 *
 * @throws UsageError for a size that no machine could have
 */
export function wholeMemory(size: number): WholeMemory {
  checkSize("memory", size, 4096, "a positive multiple of 4 KiB");
  const changes = (facts: Facts, scope: Scope): readonly (MemoryChange | MemoryPluggedChange)[] => {
    const [device, ...others] = devicesOf(facts, scope);
    const only = device !== undefined && others.length === 0 && !device.hasBalloon ? device : null;
    return only === null || size < only.base
      ? [{ resource: "memory", size }]
      : [{ resource: "memory-plugged", id: only.id, size: size - only.base }];
  };
  return Object.assign(changes, {
    oneHalf: true as const,
    among: ["memory", "memory-plugged"] as const,
    asks: { name: "wholeMemory", args: [size] } as const,
    refusals: (facts: Facts, scope: Scope) => refusalsOf(size, facts, scope),
  });
}

/** A virtio-mem device, and what the machine has besides. */
interface Giver {
  readonly id: string;
  readonly leg: "static" | "dynamic";
  /** What it gives or is asked for, and can give: for the message. */
  readonly words: string;
  /** All of the guest's memory that does not come from virtio-mem. */
  readonly base: number;
  readonly hasBalloon: boolean;
}

/** The virtio-mem devices of the half that decides: the running machine, if it is in the scope. */
function devicesOf(facts: Facts, scope: Scope): readonly Giver[] {
  const live = scope === "static" ? null : facts.live;
  return live === null ? ofConfig(facts) : ofLive(facts);
}

function ofLive({ live }: Facts): readonly Giver[] {
  if (live === null) return [];
  const { size, actual, devices } = live.memory;
  const words = ({ size: now, resizable: { most } }: VirtioMem): string => `${formatSize(now)} of ${formatSize(most)}`;
  return virtioMemsIn(devices).map((each) => ({
    id: each.id,
    leg: "dynamic",
    words: words(each),
    base: size,
    hasBalloon: actual !== null,
  }));
}

function ofConfig({ config }: Facts): readonly Giver[] {
  if (config === null) return [];
  return virtioMemsInArgs(config.args).map(({ id, requested, most }) => ({
    id,
    leg: "static",
    words: `${formatSize(config.memory.plugged?.[id] ?? requested)}${most === null ? "" : ` of ${formatSize(most)}`}`,
    base: config.memory.max,
    hasBalloon: hasBalloon(config),
  }));
}

function refusalsOf(size: number, facts: Facts, scope: Scope): readonly Refusal[] {
  const givers = devicesOf(facts, scope);
  const [first, ...others] = givers;
  if (first === undefined) return [];
  const { leg, base } = first;
  if (first.hasBalloon || others.length > 0) return [unclear(size, givers)];
  if (size < base)
    return [
      {
        leg,
        reason: `memory ${formatSize(size)} is below the ${formatSize(base)} that the machine has without virtio-mem ${first.id}, and only a balloon could take of that`,
        instead: `at least ${formatSize(base)}, or a balloon device in args ("-device", "virtio-balloon-pci,id=balloon0") and a restart`,
      },
    ];
  const fixed = ofConfig(facts).find(({ id }) => id === first.id);
  if (scope !== "both" || fixed === undefined || fixed.base === base) return [];
  return [
    {
      leg: "static",
      reason: `${formatSize(size)} is not the same for both halves: without virtio-mem the machine has ${formatSize(base)}, and ${formatSize(fixed.base)} at its next start`,
      instead: `--device ${first.id} ${formatSize(size - base)} for what the device gives`,
    },
  ];
}

/** `setmem` can't know which is meant. */
function unclear(size: number, givers: readonly Giver[]): Refusal {
  const [first] = givers;
  const devices = givers.map(({ id, words }) => `${id} (${words})`).join(", ");
  const balloon = first?.hasBalloon === true;
  const has = `virtio-mem ${devices}${balloon ? ` and a balloon, which works in the other ${formatSize(first.base)}` : ""}`;
  const ways = [
    ...givers.map(({ id }) => `--device ${id} for what that device gives besides`),
    ...(balloon ? [`--balloon for what the balloon leaves of the ${formatSize(first.base)}`] : []),
  ];
  return {
    leg: first?.leg ?? "dynamic",
    reason: `memory ${formatSize(size)} could mean several things: the machine has ${has}`,
    instead: ways.join(", or "),
  };
}
