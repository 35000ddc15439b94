import type { Edit } from "../../config/edit.ts";
import { addIothread, editedArgs, iothreadsIn, otherObject, removeIothread, settingsIn, usersOf } from "../../config/iothread-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { UsageError } from "../../errors.ts";
import { readScheduling, readThreads } from "../facts/read-threads.ts";
import { shellWord } from "../model/format.ts";
import { adding, delStep, type Numbers, removing } from "./iothread-step.ts";
import { checkIothreadId, iothreadIn, perIothread } from "./iothread.ts";
import { newIothreadSteps } from "./new-thread.ts";
import { type Reason, type ResourceKind, when } from "./resource.ts";
import { CHANGED } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** Whether there is an iothread with this id: `present`, or `absent`. */
export interface IothreadChange {
  readonly resource: "iothread";
  readonly iothread: string;
  readonly state: string;
}

const PRESENT = "present";
const ABSENT = "absent";

/** `iothreadadd`, `iothreaddel`: the iothreads that there are. */
export const iothread: ResourceKind<IothreadChange, { readonly iothreads: { readonly present: Readonly<Record<string, boolean>> } }> = {
  resource: "iothread",
  row: 67,
  label: (change) => `iothread ${change.iothread}`,
  unit: "text",
  members: { iothread: "text", state: "text" },
  inFile: {
    path: ["iothreads", "present"],
    shape: '{"ID": true}',
    example: '{"io1": true}',
    changes: (value, place, complain) =>
      perIothread(
        value,
        place,
        (id, each): IothreadChange | string =>
          typeof each === "boolean" ? { resource: "iothread", iothread: id, state: each ? PRESENT : ABSENT } : "true or false",
        complain,
      ),
  },
  needsGuest: false,
  // What is set of an iothread follows its words.
  isMaximum: true,
  // What a new one is given by itself comes before what is asked for.
  keepsTogether: true,
  threadsHave: ["iothread-pin", "iothread-sched", "iothread-set"],
  stepKinds: [adding as unknown as StepKind<Step>, removing as unknown as StepKind<Step>],
  reads: [readThreads, readScheduling],

  check: (change) => {
    checkIothreadId(change.iothread);
    if (change.state !== PRESENT && change.state !== ABSENT)
      throw new UsageError(`iothread ${change.iothread}: ${JSON.stringify(change.state.slice(0, 40))} is no state of it`, {
        value: change.state,
        expected: `${PRESENT} or ${ABSENT}`,
      });
  },
  withValue: (change, value) => ({ ...change, state: String(value) }),
  wanted: ({ state }) => state,
  command: (change, name) => `${change.state === PRESENT ? "iothreadadd" : "iothreaddel"} ${shellWord(name)} ${shellWord(change.iothread)}`,

  inConfig: (change, { args }) => stateIn(args, change.iothread),
  edits: (change, config) => editsOf(change, config),
  applied: (change, config) => ({ ...config, args: editedArgs(config.args, editsOf(change, config)) }),
  staticReasons: (change, { after, config }) => {
    const { iothread: id, state } = change;
    if (state === PRESENT) return takenReasons(id, config?.args ?? []);
    return usersOf(after.args, id).map(({ words }) => ({
      reason: `iothread ${id} is in use in the config: ${words.join(" ")}`,
      instead: "take that out of args first, or give it another iothread",
    }));
  },

  inLive: (change, live) => (iothreadIn(live, change.iothread) === undefined ? ABSENT : PRESENT),
  needed: (change, { live }) => (iothreadIn(live, change.iothread) === undefined ? ABSENT : PRESENT) !== change.state,
  liveReasons: (change, { live }) =>
    change.state === PRESENT ? [] : usedReasons(change.iothread, iothreadIn(live, change.iothread)?.users ?? []),
  steps: (change, facts): readonly Step[] => {
    const { iothread: id, state } = change;
    const found = iothreadIn(facts.live, id);
    if (state === ABSENT) return found === undefined ? [] : [delStep(found)];
    return found === undefined
      ? [{ kind: "iothread-add", iothread: id, settings: settingsFor(id, facts.config) } as Step, ...newIothreadSteps(id, facts)]
      : [];
  },

  rows: ({ config, live }) => {
    if (config === null || live === null) return [];
    return idsOf(config, live.iothreads ?? []).flatMap((id) => {
      const [stored, now] = [stateIn(config.args, id), iothreadIn(live, id) === undefined ? ABSENT : PRESENT];
      return stored === now ? [] : [{ resource: `iothread ${id}`, config: stored, live: now, guest: null, why: CHANGED }];
    });
  },
  revert: ({ config, live }) =>
    idsOf(config, live.iothreads ?? []).flatMap((id): readonly IothreadChange[] => {
      const stored = stateIn(config.args, id);
      return (iothreadIn(live, id) === undefined ? ABSENT : PRESENT) === stored
        ? []
        : [{ resource: "iothread", iothread: id, state: stored }];
    }),
  persist: ({ config, live }) =>
    idsOf(config, live.iothreads ?? []).flatMap((id): readonly IothreadChange[] => {
      const now = iothreadIn(live, id) === undefined ? ABSENT : PRESENT;
      return stateIn(config.args, id) === now ? [] : [{ resource: "iothread", iothread: id, state: now }];
    }),
};

function stateIn(args: readonly string[], id: string): string {
  return iothreadsIn(args).some((each) => each.id === id) ? PRESENT : ABSENT;
}

function editsOf({ iothread: id, state }: IothreadChange, { args }: LaunchConfig): readonly Edit[] {
  if (stateIn(args, id) === state) return [];
  return state === PRESENT ? addIothread(args, id) : removeIothread(args, id);
}

function takenReasons(id: string, args: readonly string[]): readonly Reason[] {
  const other = otherObject(args, id);
  return when(other !== undefined, () => ({
    reason: `the id ${id} is another object's in the config: ${other?.words.join(" ")}`,
    instead: "another id",
  }));
}

function usedReasons(id: string, users: readonly string[]): readonly Reason[] {
  return when(users.length > 0, () => ({
    reason: `iothread ${id} is in use: by ${users.join(", ")}. QEMU would let it go, and the device would go on with a thread that nobody can see or bind`,
    instead: `unplug ${users.length === 1 ? "that" : "those"} first, or give it another iothread and restart`,
  }));
}

/** What the config sets of an iothread, for one that is added to the running machine. */
function settingsFor(id: string, config: LaunchConfig | null): Numbers {
  const found = iothreadsIn(config?.args ?? []).find((each) => each.id === id);
  if (found === undefined) return {};
  return Object.fromEntries(Object.entries(settingsIn(found)).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

function idsOf({ args }: LaunchConfig, live: readonly { readonly id: string }[]): readonly string[] {
  return [...new Set([...iothreadsIn(args), ...live].map(({ id }) => id))].sort();
}
