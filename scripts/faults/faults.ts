import { rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Allowed } from "./check.ts";
import type { Verdict } from "./proxy.ts";
import { type Command, type Ended, type Kind, type Oddity, type Rig, textOf } from "./rig.ts";
import { at, DISK_STEPS, diskFault, type DiskStep, MONITOR_STEPS, type MonitorStep } from "./steps.ts";

/** One trial of a fault: it starts the command under test, once. */
export interface Trial {
  readonly rig: Rig;
  readonly start: (more?: Oddity, ...words: readonly string[]) => Command;
}

/** How a trial went: how the command ended, what else is allowed, and whether the step was reached. */
export interface Tried {
  readonly ended: Ended;
  readonly allowed?: Allowed;
  readonly reached: boolean;
  /** Repairs what the fault broke, before the next command. */
  readonly repair?: () => Promise<unknown>;
}

/** One fault and the steps at which it is tried. */
export interface Fault {
  readonly name: string;
  readonly steps: readonly string[];
  /** The steps to try on a real QEMU. Default: all. */
  readonly onReal?: readonly string[];
  /** The kind of machine that it needs. Default: the usual one. */
  readonly kind?: Kind;
  /** Why it can't be tried on this host. Null: it can. */
  readonly obstacle?: () => Promise<string | null>;
  readonly run: (trial: Trial, step: string) => Promise<Tried>;
}

type Act = (trial: Trial, command: Command) => Verdict | Promise<Verdict>;

/** A fault that happens when a message of the change passes. */
export function atMessage(act: Act, allowed: Allowed = {}, oddity: Oddity = {}, ...words: readonly string[]): Fault["run"] {
  return async (trial, step) => {
    let command: Command | undefined;
    const trigger = at(trial.rig, step as MonitorStep, () => act(trial, command as Command));
    command = trial.start(oddity, ...words);
    const ended = await command.ended;
    trial.rig.proxy.arm(undefined);
    return { ended, allowed, reached: trigger.reached };
  };
}

const killed: Fault["run"] = async (trial, step) => {
  if (!(DISK_STEPS as readonly string[]).includes(step))
    return atMessage((_, command) => (command.kill("SIGKILL"), "break"), { codes: [null] })(trial, step);
  const ended = await trial.start({ disk: diskFault(step as DiskStep, "kill") }).ended;
  return { ended, allowed: { codes: [null] }, reached: ended.code === null };
};

const failsOnDisk =
  (code: string): Fault["run"] =>
  async (trial, step) => {
    const ended = await trial.start({ disk: diskFault(step as DiskStep, code) }).ended;
    // If a note of the guest can't be written, or a leftover can't be removed, the change need not fail.
    const harmless = step === "asked" || step === "closing";
    return {
      ended,
      allowed: { codes: harmless ? [0] : [1] },
      reached: harmless || ended.stderr.includes(code) || (ended.report !== undefined && ended.code === 1),
    };
  };

/** Another program edits the config at a step of the change. */
const changedByOthers =
  (edit: (text: string) => string): Fault["run"] =>
  async (trial, step) => {
    const before = (await textOf(trial.rig)) ?? "";
    const edited = edit(before);
    const tried = await atMessage(async ({ rig }) => (await writeFile(rig.configPath, edited), undefined), { edited, codes: [1] })(
      trial,
      step,
    );
    return { ...tried, repair: () => writeFile(trial.rig.configPath, before) };
  };

const folderGone: Fault["run"] = async (trial, step) => {
  const folder = dirname(trial.rig.configPath);
  // A change without this step never reaches it.
  let moved = false;
  const takeAway = async (): Promise<undefined> => {
    await rename(folder, `${folder}.away`);
    moved = true;
  };
  const tried = await atMessage(takeAway, { codes: [1] })(trial, step);
  return { ...tried, repair: async () => (moved ? rename(`${folder}.away`, folder) : undefined) };
};

const stoppedAndContinued: Fault["run"] = (trial, step) =>
  atMessage(
    ({ rig }) => {
      process.kill(rig.pid, "SIGSTOP");
      void wait(300).then(() => process.kill(rig.pid, "SIGCONT"));
      return undefined;
    },
    { codes: [0] },
  )(trial, step);

/** QEMU is stopped until the command has ended. */
const stoppedForGood: Fault["run"] = async (trial, step) => {
  const tried = await atMessage(
    ({ rig }) => (process.kill(rig.pid, "SIGSTOP"), undefined),
    { codes: step === "read" ? [3] : [1, 4], deaf: true },
    {},
    "--timeout",
    "500ms",
  )(trial, step);
  process.kill(trial.rig.pid, "SIGCONT");
  // It first handles the requests from before it was stopped.
  await trial.rig.look();
  return tried;
};

/** An edit makes the change fail near its end, and the undo breaks at its first command. */
const atUndo =
  (act: Act, allowed: Allowed): Fault["run"] =>
  async (trial) => {
    const before = (await textOf(trial.rig)) ?? "";
    const edited = `${before}\n`;
    let command: Command | undefined;
    let reached = false;
    trial.rig.proxy.arm(async ({ from, command: name, nth }) => {
      if (from === "qemu" && name === "balloon" && nth === 1) await writeFile(trial.rig.configPath, edited);
      if (from !== "client" || name !== "balloon" || nth !== 2) return undefined;
      reached = true;
      return act(trial, command as Command);
    });
    command = trial.start();
    const ended = await command.ended;
    trial.rig.proxy.arm(undefined);
    return { ended, allowed: { ...allowed, edited }, reached, repair: () => writeFile(trial.rig.configPath, before) };
  };

/** The message passes a little later than the signal. */
const signalling =
  (signal: NodeJS.Signals): Act =>
  async (_, command) => {
    command.kill(signal);
    await wait(50);
    return undefined;
  };

/** A reply with an unknown id, then the true one: QMP clients match replies by id. */
const forAnotherCall: Fault["run"] = async (trial, step) => {
  let reached = false;
  const command = step === "plugged" ? "device_add" : "balloon";
  trial.rig.proxy.arm((passing) => {
    if (passing.from !== "qemu" || passing.command !== command || reached) return undefined;
    reached = true;
    return { lines: [JSON.stringify({ return: {}, id: "of-nobody" }), passing.text] };
  });
  const ended = await trial.start().ended;
  trial.rig.proxy.arm(undefined);
  return { ended, allowed: { codes: [0] }, reached };
};

const BEFORE_END: readonly MonitorStep[] = [
  "connect",
  "read",
  "plug",
  "plugged",
  "throttle",
  "throttled",
  "period",
  "periodic",
  "attach",
  "attached",
  "balloon",
  "ballooned",
  "wait",
];

/** On a real machine every other step, and no device: the change has none there. */
const ON_REAL: readonly string[] = [
  ...["connect", "plug", "throttle", "period", "balloon", "ballooned", "wait"],
  ...["prepare", "asked", "commit", "committed"],
];

/** Every fault for a change of both halves that works on a fake and on a real QEMU. */
export const FAULTS: readonly Fault[] = [
  { name: "our process killed", steps: [...MONITOR_STEPS, ...DISK_STEPS], onReal: ON_REAL, run: killed },
  {
    name: "our process killed, undoing",
    steps: ["undo"],
    run: atUndo((_, command) => (command.kill("SIGKILL"), "break"), { codes: [null] }),
  },
  {
    name: "QEMU killed",
    steps: MONITOR_STEPS.filter((step) => step !== "connect"),
    onReal: ["balloon"],
    run: atMessage(async ({ rig }) => (await rig.killQemu(), "break" as const)),
  },
  { name: "QEMU stopped and continued", steps: ["read", "plug", "balloon", "wait"], onReal: ["plug", "balloon"], run: stoppedAndContinued },
  { name: "QEMU stopped for good", steps: ["read", "balloon"], onReal: [], run: stoppedForGood },
  {
    name: "socket reset",
    steps: BEFORE_END.filter((step) => step !== "read" && step !== "connect"),
    onReal: ["plug", "throttle", "period", "ballooned", "wait"],
    run: atMessage(() => "break", { codes: [0] }),
  },
  {
    name: "socket reset",
    steps: ["connect", "read"],
    run: atMessage(({ rig }) => (rig.proxy.reset(), "break"), { codes: [0, 3], deaf: true }),
  },
  { name: "socket reset", steps: ["undo"], run: atUndo(() => "break", { codes: [1] }) },
  {
    name: "reply late",
    steps: ["plugged", "ballooned"],
    onReal: ["ballooned"],
    run: atMessage(async () => (await wait(300), undefined), { codes: [0] }),
  },
  {
    name: "reply never",
    steps: ["plugged", "ballooned"],
    onReal: ["plugged"],
    run: atMessage(() => "drop", { codes: [0, 1] }, {}, "--timeout", "500ms"),
  },
  { name: "reply for another call", steps: ["plugged", "ballooned"], onReal: ["ballooned"], run: forAnotherCall },
  {
    name: "SIGINT",
    steps: BEFORE_END,
    onReal: ["read", "plugged", "throttled", "periodic", "balloon", "wait"],
    run: atMessage(signalling("SIGINT"), { codes: [130] }),
  },
  { name: "SIGTERM", steps: BEFORE_END, onReal: ["wait"], run: atMessage(signalling("SIGTERM"), { codes: [130] }) },
  {
    name: "config replaced by another",
    steps: ["plug", "balloon", "ballooned"],
    onReal: ["ballooned"],
    run: changedByOthers((text) => `${text}\n`),
  },
  { name: "config damaged", steps: ["plug", "balloon"], onReal: ["balloon"], run: changedByOthers(() => "{ not JSON") },
  { name: "config folder gone", steps: ["plug", "balloon"], onReal: ["balloon"], run: folderGone },
  {
    name: "no space (ENOSPC)",
    steps: DISK_STEPS.filter((step) => step !== "committed"),
    onReal: ["prepare", "commit"],
    run: failsOnDisk("ENOSPC"),
  },
  { name: "permission taken (EACCES)", steps: ["prepare", "journal", "commit"], onReal: ["commit"], run: failsOnDisk("EACCES") },
  { name: "read-only (EROFS)", steps: ["prepare", "journal", "commit", "closing"], onReal: ["commit"], run: failsOnDisk("EROFS") },
];
