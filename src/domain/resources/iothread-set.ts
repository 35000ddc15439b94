import { DEFAULT, formatSettings, parseSettings, type Setting, SETTINGS, type Settings } from "../../config/iothread-settings.ts";
import { editedArgs, iothreadsIn, setIothread, settingsIn } from "../../config/iothread-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { UsageError } from "../../errors.ts";
import type { LiveIothread } from "../facts/live-thread.ts";
import type { Live } from "../facts/live.ts";
import { readThreads } from "../facts/read-threads.ts";
import { shellWord } from "../model/format.ts";
import { type IothreadSetStep, type Numbers, setting } from "./iothread-step.ts";
import { checkIothreadId, iothreadIn, iothreadReasons, perIothread } from "./iothread.ts";
import { type Complain, type Reason, type ResourceKind, when } from "./resource.ts";
import { type BothFacts, CHANGED, type DiffRow } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/**
 * What is set of an iothread: `poll-max-ns=0,poll-grow=default`. Of `poll-max-ns`, `poll-grow`, `poll-shrink`, `thread-pool-min` and
 * `thread-pool-max`, those that it names; the others stay as they are. `default` leaves one to QEMU.
 */
export interface IothreadSetChange {
  readonly resource: "iothread-set";
  readonly iothread: string;
  readonly settings: string;
}

type InFile = Readonly<Record<string, { readonly [S in Setting]?: number | null | undefined }>>;

/** `iothreadset`: how an iothread polls, and how many workers it may have. */
export const iothreadSet: ResourceKind<IothreadSetChange, { readonly iothreads: { readonly set: InFile } }> = {
  resource: "iothread-set",
  row: 68,
  label: ({ iothread }) => `iothread-set ${iothread}`,
  unit: "text",
  members: { iothread: "text", settings: "text" },
  inFile: {
    path: ["iothreads", "set"],
    shape: '{"ID": {"poll-max-ns": N}}',
    example: '{"io0": {"poll-max-ns": 0}}',
    changes: (value, place, complain) =>
      perIothread(value, place, (id, each) => inFile(id, each, place, complain), complain).filter((each) => each !== null),
  },
  needsGuest: false,
  stepKinds: [setting as unknown as StepKind<Step>],
  reads: [readThreads],

  check: ({ iothread, settings }) => {
    checkIothreadId(iothread);
    readSettings(settings);
  },
  withValue: (change, value) => ({ ...change, settings: String(value) }),
  wanted: ({ settings }) => formatSettings(readSettings(settings)),
  ofThreads: {
    thread: ({ iothread }) => iothread,
    had: ({ iothreads = [] }) =>
      iothreads.map(({ id, settings }): IothreadSetChange => ({
        resource: "iothread-set",
        iothread: id,
        settings: formatSettings(settings),
      })),
    // A new one is added with what the config sets of it.
    due: () => null,
  },
  command: ({ iothread, settings }, name) => {
    const options = Object.entries(readSettings(settings)).map(([key, value]) => `--${key} ${value}`);
    return ["iothreadset", shellWord(name), shellWord(iothread), ...options].join(" ");
  },

  inConfig: (change, config) => formatSettings(chosen(change, storedOf(change.iothread, config))),
  edits: (change, { args }) => setIothread(args, change.iothread, readSettings(change.settings)) ?? [],
  applied: (change, config) => ({
    ...config,
    args: editedArgs(config.args, setIothread(config.args, change.iothread, readSettings(change.settings)) ?? []),
  }),
  staticReasons: (change, { after }) => {
    const { iothread: id } = change;
    if (!iothreadsIn(after.args).some((each) => each.id === id))
      return [
        {
          reason: `the config makes no iothread ${id}`,
          instead: "add it first, with iothreadadd, or name one that -object iothread,id=… makes",
        },
      ];
    if (setIothread(after.args, id, {}) === null)
      return [
        {
          reason: `the words of iothread ${id} are JSON in QEMU's own notation, which is not edited`,
          instead: "with double quotes, or edit args by hand",
        },
      ];
    const { "thread-pool-min": least, "thread-pool-max": most } = storedOf(id, after);
    return poolReasons(least === DEFAULT ? 0 : least, most === DEFAULT ? POOL_MOST : most);
  },

  inLive: (change, live) => {
    const found = iothreadIn(live, change.iothread);
    return found === undefined ? null : formatSettings(chosen(change, shownSettings(found, readSettings(change.settings))));
  },
  needed: (change, { live }) => {
    const found = iothreadIn(live, change.iothread);
    const wanted = readSettings(change.settings);
    return found === undefined || formatSettings(chosen(change, shownSettings(found, wanted))) !== formatSettings(wanted);
  },
  liveReasons: (change, facts, options) => {
    const found = iothreadIn(facts.live, change.iothread);
    if (found === undefined) return iothreadReasons(change.iothread, "set", facts, options);
    const wanted = numbersOf(readSettings(change.settings), found);
    return [
      ...missing(readSettings(change.settings), found, facts.live),
      ...zeros(wanted, found),
      ...poolReasons(
        wanted["thread-pool-min"] ?? found.settings["thread-pool-min"] ?? 0,
        wanted["thread-pool-max"] ?? found.settings["thread-pool-max"] ?? POOL_MOST,
      ),
    ];
  },
  steps: (change, { live }): readonly IothreadSetStep[] => {
    const found = iothreadIn(live, change.iothread);
    const settings = numbersOf(readSettings(change.settings), found);
    const before = found === undefined ? null : pick(found.settings, Object.keys(settings));
    return [{ kind: "iothread-set", iothread: change.iothread, settings, before }];
  },

  rows: ({ config, live }) => {
    if (config === null || live === null) return [];
    return differing({ config, live }).map(({ id, stored, now }): DiffRow => ({
      resource: `iothread-set ${id}`,
      config: formatSettings(stored),
      live: formatSettings(now),
      guest: null,
      why: CHANGED,
    }));
  },
  // An iothread that the config has not got is to go, so nothing is set of it.
  revert: (facts) =>
    differing(facts)
      .filter(({ id }) => iothreadsIn(facts.config.args).some((each) => each.id === id))
      .map(({ id, stored }) => ({ resource: "iothread-set", iothread: id, settings: formatSettings(stored) })),
  persist: (facts) => differing(facts).map(({ id, now }) => ({ resource: "iothread-set", iothread: id, settings: formatSettings(now) })),
};

/** As many workers as QEMU gives a pool unless it is told otherwise. */
const POOL_MOST = 64;

/** @throws UsageError for a text that is none */
function readSettings(text: string): Settings {
  const settings = parseSettings(text);
  if (typeof settings !== "string") return settings;
  throw new UsageError(`iothread settings: ${settings}`, {
    value: text,
    expected: "settings and values, as poll-max-ns=0,poll-grow=default",
  });
}

/** What QEMU uses for a setting that it is not told. With `poll-weight` came other values for two of them (11.1). */
function defaultOf(name: Setting, found: LiveIothread | undefined): number {
  const steps = found?.weighs === true ? 2 : 0;
  return { "poll-max-ns": 32768, "poll-grow": steps, "poll-shrink": steps, "thread-pool-min": 0, "thread-pool-max": POOL_MOST }[name];
}

function storedOf(id: string, { args }: LaunchConfig): Required<Settings> {
  const found = iothreadsIn(args).find((each) => each.id === id);
  return found === undefined ? (Object.fromEntries(SETTINGS.map((name) => [name, DEFAULT])) as Required<Settings>) : settingsIn(found);
}

/** Of all settings, those that a change names. */
function chosen({ settings }: IothreadSetChange, all: Settings): Settings {
  return pick(all, Object.keys(readSettings(settings)));
}

function pick<T extends object>(all: T, names: readonly string[]): T {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))) as T;
}

/** What an iothread has: `default` where that is wanted, and it has QEMU's own value. */
function shownSettings(found: LiveIothread, wanted: Settings): Settings {
  const all = SETTINGS.flatMap((name) => {
    const value = found.settings[name];
    if (value === undefined) return [];
    return [[name, wanted[name] === DEFAULT && value === defaultOf(name, found) ? DEFAULT : value] as const];
  });
  return Object.fromEntries(all);
}

function numbersOf(settings: Settings, found: LiveIothread | undefined): Numbers {
  const names = SETTINGS.filter((name) => settings[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, settings[name] === DEFAULT ? defaultOf(name, found) : Number(settings[name])]));
}

/** The iothreads of both halves that differ, and in what. */
function differing({
  config,
  live,
}: Pick<BothFacts, "config" | "live">): readonly { readonly id: string; readonly stored: Settings; readonly now: Settings }[] {
  return (live.iothreads ?? []).flatMap((found) => {
    const stored = storedOf(found.id, config);
    const now = shownSettings(found, stored);
    const names = Object.keys(now).filter((name) => now[name as Setting] !== stored[name as Setting]);
    return names.length === 0 ? [] : [{ id: found.id, stored: pick<Settings>(stored, names), now: pick(now, names) }];
  });
}

function missing(wanted: Settings, { settings }: LiveIothread, { version }: Live): readonly Reason[] {
  const names = Object.keys(wanted).filter((name) => settings[name] === undefined);
  return when(names.length > 0, () => ({
    reason: `QEMU ${version.text} has no ${names.join(" and no ")} of iothreads: since 7.1 there is`,
    instead: `--static, for a newer QEMU, or ${SETTINGS.filter((name) => name.startsWith("poll-")).join(", ")}`,
  }));
}

/** Since there are weights, these have a value of QEMU's own where they would be 0. */
function zeros(wanted: Numbers, found: LiveIothread): readonly Reason[] {
  const names = (["poll-grow", "poll-shrink"] as const).filter((name) => wanted[name] === 0 && defaultOf(name, found) !== 0);
  return names.map((name) => ({
    reason: `this QEMU takes ${name} 0 as its default, ${defaultOf(name, found)}`,
    instead: `--${name} default, or 1`,
  }));
}

function poolReasons(least: number, most: number): readonly Reason[] {
  return [
    ...when(most < 1, () => ({ reason: "thread-pool-max 0 leaves no worker, and QEMU refuses it", instead: "1 or more" })),
    ...when(most >= 1 && least > most, () => ({
      reason: `thread-pool-min ${least} is more than thread-pool-max ${most}`,
      instead: "both in one change, or a least that is no more than the most",
    })),
  ];
}

/** The settings of one iothread in an allocation file; null where it has none. */
function inFile(id: string, value: unknown, place: string, complain: Complain): IothreadSetChange | null | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return 'an object, as {"poll-max-ns": 0}';
  const items = Object.entries(value).map(
    ([name, each]: readonly [string, unknown]) => `${name}=${each === null ? DEFAULT : String(each)}`,
  );
  if (items.length === 0) return null;
  const text = items.join(",");
  const settings = parseSettings(text);
  if (typeof settings === "string") {
    complain(`${place}.${id}`, value, `settings (${settings})`);
    return null;
  }
  return { resource: "iothread-set", iothread: id, settings: formatSettings(settings) };
}
