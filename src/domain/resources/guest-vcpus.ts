import { formatSize } from "../../config/size.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { readGuest } from "../facts/guest-agent.ts";
import { type GuestWord, onlineInGuest } from "../facts/guest-half.ts";
import { roomForVcpus } from "../facts/live.ts";
import type { Value } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { countIn } from "./file-part.ts";
import { bringing, type GuestVcpusStep } from "./guest-vcpus-step.ts";
import { checkCount } from "./max-vcpus.ts";
import { type CheckOptions, type Reason, type ResourceKind, when } from "./resource.ts";

/** How many vCPUs the guest itself is to have online, of those that the machine gives it. */
export interface GuestVcpusChange {
  readonly resource: "guest-vcpus";
  readonly count: number;
  /** `exactly` so many, for which others are taken offline; or `at-least`, which brings up what was plugged and is not used. */
  readonly how: "exactly" | "at-least";
}

/** In words to copy, what does in a guest what the config can't: Linux with udev, as distributions have it. */
const UDEV_RULE =
  'in the guest, a udev rule that brings up each CPU: /etc/udev/rules.d/40-vcpus.rules with SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", ATTR{online}="1"';

/** `setvcpus --guest` and `--online`: how many vCPUs the guest uses, asked of its agent. It has no static half. */
export const guestVcpus: ResourceKind<GuestVcpusChange, { readonly guest: { readonly vcpus: number } }> = {
  resource: "guest-vcpus",
  row: 45,
  label: () => "guest-vcpus",
  unit: "count",
  members: { count: "number", how: "text" },
  inFile: {
    path: ["guest", "vcpus"],
    shape: "N",
    example: "2",
    changes: (value, place, complain) => {
      const count = countIn(value, place, complain);
      return count === undefined ? [] : [{ resource: "guest-vcpus", count, how: "exactly" }];
    },
  },
  needsGuest: true,
  guestMoves: true,
  isLiveOnly: ({ how }) => how === "at-least",
  stepKinds: [bringing],
  withValue: (change, value) => ({ ...change, count: Number(value) }),
  check: ({ count }) => checkCount("vCPUs of the guest", count),
  clash: ({ how }, other) =>
    how === "exactly" && (other.resource === "vcpus" || other.resource === "vcpus-online")
      ? "it can't be asked together with which vCPUs the machine has: one after the other"
      : null,
  wanted: ({ count }) => count,
  command: ({ count, how }, name) => `setvcpus ${shellWord(name)} ${count} ${how === "exactly" ? "--guest" : "--online"}`,

  inConfig: () => null,
  edits: () => [],
  applied: (_change, config) => config,
  staticReasons: () => [
    { reason: "which vCPUs the guest uses is not kept anywhere outside of it, and it forgets it when it reboots", instead: UDEV_RULE },
  ],

  reads: [readGuest],
  inLive: (_change, { guest }) => onlineInGuest(guest),
  needed: ({ count, how }, { live: { guest }, beingPlugged }) => {
    const online = onlineInGuest(guest);
    if (online === null || how === "exactly") return online !== count;
    return online < count || (beingPlugged?.size ?? 0) > 0;
  },
  liveReasons: (change, facts, options) => unknownReasons(facts, options) ?? countReasons(change, facts, options),
  steps: ({ count, how }, { config, live: { guest } }): readonly GuestVcpusStep[] =>
    config?.agent === undefined || guest === undefined || "unknown" in guest
      ? []
      : [
          {
            kind: "guest-vcpus",
            agent: config.agent,
            wanted: { count, how },
            before: guest.vcpus.filter((it) => it.online).map(({ id }) => id),
          },
        ],

  // How many vCPUs the guest uses stands with those that the machine has. Of memory, what it was given and has not brought up is told here.
  rows: ({ live }) => {
    const given = live === null ? null : live.memory.size + (live.memory.virtioMem ?? 0);
    const used = live?.guest === undefined || "unknown" in live.guest ? null : live.guest.memory;
    if (given === null || used === null) return [];
    const why = used < given ? `the guest uses ${formatSize(used)} of ${formatSize(given)}: what was plugged is not online in it` : null;
    return [{ resource: "guest-memory", config: null, live: given, guest: used, why }];
  },
  revert: null,
  persist: () => [],
};

/** Why nothing can be asked of the guest; undefined if it can. */
function unknownReasons({ config, live: { guest } }: LiveFacts, { name }: CheckOptions): readonly Reason[] | undefined {
  if (config === null) return [{ reason: "without a config, nobody knows where the guest's agent is asked", instead: "define it first" }];
  if (guest === undefined)
    return [
      {
        reason: "the config names no guest agent, so the guest can't be asked",
        instead: "the key agent, with the path of the agent's socket: define finds it in a command line",
      },
    ];
  if (!("unknown" in guest)) return undefined;
  return [{ reason: `nothing is known of the guest: ${guest.unknown}`, instead: `qmpctl info ${shellWord(name)} says when it answers` }];
}

function countReasons({ count, how }: GuestVcpusChange, facts: LiveFacts, { name }: CheckOptions): readonly Reason[] {
  const { guest } = facts.live;
  if (guest === undefined || "unknown" in guest) return [];
  const coming = facts.beingPlugged?.size ?? 0;
  const most = guest.vcpus.length + coming;
  const room = roomForVcpus(facts.live) ?? count;
  const fixed = guest.vcpus.filter((it) => it.fixed && it.online);
  return [
    // What was plugged a moment ago may not be in the guest's list yet: the machine's own number counts as well.
    ...when(count > Math.max(most, facts.live.vcpus.length + coming), () => ({
      reason: `the guest has ${most} vCPUs, so ${count} can't be online in it`,
      instead:
        count > room
          ? `at most ${room}, the room that the running machine has: qmpctl setvcpus ${shellWord(name)} ${room} --online plugs them and brings them up`
          : `qmpctl setvcpus ${shellWord(name)} ${count} --online plugs them and brings them up`,
    })),
    ...when(how === "exactly" && count < fixed.length, () => ({
      reason: `the guest says of its vCPU ${fixed.map(({ id }) => id).join(", ")} that it can't be taken offline`,
      instead: `at least ${fixed.length}`,
    })),
  ];
}

/** The guest's column of a row: its word, or why there is none. */
export function guestColumn(word: GuestWord | undefined, value: Value): { readonly guest: Value; readonly guestUnknown?: string } {
  return word !== undefined && "unknown" in word ? { guest: null, guestUnknown: word.unknown } : { guest: value };
}

/** How the guest's own number stands beside the machine's, for `diff`: why it is less; null where it is not, or nobody knows. */
export function whyFewerInGuest({ live }: Pick<Facts, "live">): string | null {
  const online = onlineInGuest(live?.guest);
  if (live === null || online === null || online >= live.vcpus.length) return null;
  return `the guest uses ${online} of ${live.vcpus.length}: setvcpus with --online brings the others up`;
}
