import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectHost } from "../../../src/remote/connection.ts";
import type { Ask } from "../../../src/remote/link.ts";
import { shippedProgram } from "../../../src/remote/shipped-program.ts";
import { killUnheard } from "./kill.ts";
import { processesOn, until } from "./machine.ts";
import type { Near, Stage, Told } from "./stage.ts";
import { atStep, type Heard, type Step, stepsOf } from "./steps.ts";
import type { Passing } from "./wire.ts";

/** How a trial went. */
export interface Tried {
  readonly told: Told;
  readonly heard: Heard;
  /** The config after another program's edit. */
  readonly edited?: string;
  /** What another one who used the same key was answered. */
  readonly twin?: unknown;
  /** Puts right what the fault broke, before anybody looks. */
  readonly repair?: () => Promise<unknown>;
}

/** One fault, and the steps at which it is tried on a machine that can plug vCPUs again, or can't. */
export interface Fault {
  readonly name: string;
  readonly steps: (replugs: boolean) => readonly Step[];
  readonly run: (stage: Stage, step: Step, begin: () => Near) => Promise<Tried>;
}

type Act = (stage: Stage, near: Near) => Promise<unknown>;

/** Something that happens once, at the step, and perhaps something else when the near end comes again. */
function once(
  act: Act,
  again?: (stage: Stage, passing: Passing) => Promise<unknown>,
  repair?: (stage: Stage) => Promise<unknown>,
): Fault["run"] {
  return async (stage, step, begin) => {
    let near: Near | undefined;
    const heard = atStep(
      stage,
      step,
      async () => void (await act(stage, near as Near)),
      async (passing) => void (await again?.(stage, passing)),
    );
    near = begin();
    const told = await near.ended;
    return { told, heard, ...(repair === undefined ? {} : { repair: () => repair(stage) }) };
  };
}

const all = (replugs: boolean): readonly Step[] => stepsOf(replugs);
const served = (replugs: boolean): readonly Step[] => all(replugs).filter((step) => step !== "connect");
const few =
  (...steps: readonly Step[]): Fault["steps"] =>
  () =>
    steps;

const signalAll =
  (kind: RegExp, signal: NodeJS.Signals): Act =>
  async ({ host }) =>
    killUnheard(await processesOn(host, kind), signal);

const FAR = /^node -e/;
/** The sshd of one login, and what it left its rights to. */
const LOGIN = /^sshd(-session)?: (?!.*\[listener\])/;

const comesAgain = async ({ host }: Stage, { at }: Passing): Promise<void> => {
  if (at === "connect") await host.link("up");
};

const goOn = signalAll(FAR, "SIGCONT");

const fill: Act = async ({ state }) => void (await writeFile(join(state, "ballast"), Buffer.alloc(4 << 20)).catch(() => undefined));

/** Another caller asks for the same with the same key, while the first one is at the step. */
const twice: Fault["run"] = async (stage, step, begin) => {
  let twin: Promise<unknown> | undefined;
  const heard = atStep(stage, step, async () => {
    let isAnswered = false;
    twin = askAgain(stage, heard).finally(() => (isAnswered = true));
    const waits = async (): Promise<boolean> => isAnswered || (await processesOn(stage.host, /^flock .*-w/)).length > 0;
    await until(waits, "the second one waits for the first one, or has its answer");
    return undefined;
  });
  const told = await begin().ended;
  return { told, heard, twin: await twin };
};

/** Asks once more for what was asked for, with its key, on a connection of its own: the answer, or the error. */
export async function askAgain({ hosts, host }: Stage, { call }: Heard): Promise<unknown> {
  await using link = await connectHost({ host: host.name }, shippedProgram, { ssh: hosts.ssh });
  return await link.call({ ...(call as unknown as Ask), writes: true }).catch((error: unknown) => error);
}

/** Another program edits the config at the step; something else happens right before. */
function edit(first: (stage: Stage) => Promise<unknown> = async () => undefined): Fault["run"] {
  return async (stage, step, begin) => {
    const before = await readFile(stage.machine.configPath, "utf8");
    const edited = `${before}\n`;
    const heard = atStep(stage, step, async () => {
      await first(stage);
      await writeFile(stage.machine.configPath, edited);
      return undefined;
    });
    const told = await begin().ended;
    return { told, heard, edited, repair: () => writeFile(stage.machine.configPath, before) };
  };
}

/** The faults, those that take long or end the machine last. */
export const FAULTS: readonly Fault[] = [
  { name: "ssh killed here", steps: all, run: once(async ({ wire }) => wire.kill()) },
  { name: "near end killed", steps: all, run: once(async (_, near) => near.process.kill("SIGKILL")) },
  { name: "near end interrupted", steps: all, run: once(async (_, near) => near.process.kill("SIGINT")) },
  { name: "Ctrl-C on a terminal", steps: all, run: once(async (_, near) => process.kill(-(near.process.pid as number), "SIGINT")) },
  {
    name: "Ctrl-C, then ssh killed",
    steps: all,
    run: once(async ({ wire }, near) => {
      near.process.kill("SIGINT");
      wire.kill();
    }),
  },
  { name: "near end hung up", steps: few("call", "begun", "qmp-wait", "reply"), run: once(async (_, near) => near.process.kill("SIGHUP")) },
  { name: "far end hung up", steps: few("served", "noted", "begun", "qmp-wait", "kept"), run: once(signalAll(FAR, "SIGHUP")) },
  { name: "far end asked to end", steps: served, run: once(signalAll(FAR, "SIGTERM")) },
  { name: "far end killed", steps: served, run: once(signalAll(FAR, "SIGKILL")) },
  { name: "sshd of it killed", steps: served, run: once(signalAll(LOGIN, "SIGKILL")) },
  {
    name: "sshd restarted",
    steps: served,
    run: once(async (stage, near) => {
      process.kill(stage.host.init, "SIGHUP");
      await signalAll(LOGIN, "SIGKILL")(stage, near);
    }),
  },
  {
    name: "state folder full",
    steps: few("call", "noted", "begun", "journal", "qmp-wait", "committed", "keep", "closing"),
    run: once(fill, undefined, ({ state }) => rm(join(state, "ballast"), { force: true })),
  },
  { name: "same key twice", steps: few("noted", "begun", "qmp-wait", "kept", "reply"), run: twice },
  { name: "config edited", steps: few("begun", "qmp-balloon", "qmp-wait"), run: edit() },
  {
    name: "ssh killed, then config edited",
    steps: few("begun", "qmp-balloon", "qmp-wait"),
    run: edit(async ({ wire, host }) => {
      wire.kill();
      // Its sshd is gone, and so is the input of the far end: from now on it is alone.
      await until(async () => (await processesOn(host, LOGIN)).length === 0, "the login has ended");
    }),
  },
  {
    name: "link cut, and back",
    steps: served,
    run: once(
      ({ host }) => host.link("down"),
      comesAgain,
      ({ host }) => host.link("up"),
    ),
  },
  {
    name: "link cut",
    steps: few("greeting", "call", "noted", "begun", "qmp-wait", "kept", "reply"),
    run: once(
      ({ host }) => host.link("down"),
      undefined,
      ({ host }) => host.link("up"),
    ),
  },
  {
    name: "far end stopped, and continued",
    steps: (replugs) => all(replugs).slice(all(replugs).indexOf("call")),
    run: once(
      signalAll(FAR, "SIGSTOP"),
      async (stage, passing) => {
        if (passing.at === "call") await goOn(stage, undefined as never);
      },
      (stage) => goOn(stage, undefined as never) as Promise<unknown>,
    ),
  },
  {
    name: "far end stopped",
    steps: few("noted", "qmp-wait", "kept"),
    run: once(signalAll(FAR, "SIGSTOP"), undefined, (stage) => goOn(stage, undefined as never) as Promise<unknown>),
  },
  {
    name: "QEMU killed",
    steps: (replugs) => all(replugs).slice(all(replugs).indexOf("begun")),
    run: once(({ machine }) => machine.killQemu()),
  },
];
