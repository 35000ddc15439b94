import { geteuid } from "node:process";
import { HostError, messageOf } from "../errors.ts";
import { armAtJob, disarmAtJob, hasAtd } from "./at-job.ts";
import { lingers } from "./login.ts";
import { runSystemd } from "./systemd-tool.ts";

/** A timer of the host's that was armed: a unit of systemd's, of the system or of this user, or a job of `at`. */
export type Timer =
  | { readonly tool: "systemd"; readonly unit: string; readonly user: boolean }
  | { readonly tool: "at"; readonly job: string; readonly key: string };

/** What a timer is to run, and when. */
export interface Arming {
  /** Letters, digits and dashes. It is in the timer's name. */
  readonly key: string;
  /** Milliseconds since 1970, by the wall clock. */
  readonly due: number;
  /** Absolute paths and fixed words, all of them plain: see `plainWord`. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** One kind of timer that this host has for this user. */
export interface TimerKind {
  /** For messages: `systemd`, `at`. */
  readonly name: string;
  /** In milliseconds: a timer of this kind fires at a multiple of this. */
  readonly step: number;
  /** What the user has to know of it. */
  readonly caveat?: string;
  arm(arming: Arming): Promise<Timer>;
}

/** How long a tool may take, in milliseconds. A busy host takes seconds. */
const TIMEOUT = 20_000;

/**
 * The kinds of timers that work here for this user, the best first; and why the others do not. Root has the system's systemd. A user has
 * his
 * own, which ends with his last log-out unless he lingers: then `at` comes first.
 */
export async function timersHere(): Promise<{ readonly kinds: readonly TimerKind[]; readonly why: readonly string[] }> {
  const isUser = geteuid?.() !== 0;
  const [systemd, at] = await Promise.all([whyNoSystemd(isUser), hasAtd()]);
  const staying = !isUser || lingers();
  const own: TimerKind = { name: "systemd", step: 1000, arm: (arming) => armUnit(arming, isUser), ...(staying ? {} : { caveat: CAVEAT }) };
  const job: TimerKind = { name: "at", step: 60_000, arm: async (arming) => ({ tool: "at", ...(await armAtJob(arming)) }) };
  const kinds = [...(systemd === null ? [own] : []), ...(at === null ? [job] : [])];
  return {
    kinds: staying ? kinds : kinds.toReversed(),
    why: [systemd, at].filter((each) => each !== null),
  };
}

const CAVEAT =
  "the timer is one of this user's systemd, which ends with the last log-out, and the timer with it: loginctl enable-linger keeps it";

async function whyNoSystemd(isUser: boolean): Promise<string | null> {
  try {
    const version = await runSystemd("systemctl", [...managerOf(isUser), "show", "--property=Version", "--value"], TIMEOUT);
    return version.trim() === "" ? "systemd does not say its version" : null;
  } catch (error) {
    return `${isUser ? "this user's systemd" : "systemd"} does not answer (${messageOf(error)})`;
  }
}

function managerOf(isUser: boolean): readonly string[] {
  return isUser ? ["--user", "--no-ask-password"] : ["--no-ask-password"];
}

/** Arms a timer of systemd's by the wall clock, and looks whether it waits. @throws HostError */
async function armUnit({ key, due, words, env }: Arming, isUser: boolean): Promise<Timer> {
  const unit = `qmpctl-end-${key}`;
  // UTC is every day the same.
  const calendar = `${new Date(due).toISOString().replace("T", " ").replace(/\..*/, "")} UTC`;
  const variables = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
  const options = ["--quiet", "--collect", `--unit=${unit}`, `--description=qmpctl: the end ${key} of a change`];
  const when = [`--on-calendar=${calendar}`, "--timer-property=AccuracySec=1s"];
  await runSystemd("systemd-run", [...managerOf(isUser), ...options, ...when, ...variables, "--", ...words], TIMEOUT);
  const asked = ["show", "--property=NextElapseUSecRealtime", "--property=LastTriggerUSec", "--", `${unit}.timer`];
  const shown = await runSystemd("systemctl", [...managerOf(isUser), ...asked], TIMEOUT);
  // systemd takes a moment that has passed too, for a timer that never fires.
  if (!/=[ \t]*(?!0$|n\/a$)\S/m.test(shown)) {
    await disarmUnit(unit, isUser).catch(() => undefined);
    throw new HostError(`systemd-run: the timer ${unit} waits for nothing: ${calendar} may be over`);
  }
  return { tool: "systemd", unit, user: isUser };
}

async function disarmUnit(unit: string, isUser: boolean): Promise<void> {
  await runSystemd("systemctl", [...managerOf(isUser), "stop", "--", `${unit}.timer`], TIMEOUT);
}

/** Takes a timer away. One that is gone already is no error. @throws HostError when it can't be taken away */
export async function disarm(timer: Timer): Promise<void> {
  if (timer.tool === "at") return await disarmAtJob(timer);
  try {
    await disarmUnit(timer.unit, timer.user);
  } catch (error) {
    if (!/not loaded|not found/i.test(messageOf(error))) throw error;
  }
}

/** `systemd timer qmpctl-end-1a2b3c4d5e6f.timer`: for people, who look for it. */
export function nameOfTimer(timer: Timer): string {
  return timer.tool === "at" ? `at job ${timer.job}` : `systemd ${timer.user ? "--user " : ""}timer ${timer.unit}.timer`;
}

/**
 * Whether a word can be given to any timer as it is. systemd and shells read more into some characters: `$`, `%`, quotes, and what can't be
 * seen.
 */
export function isPlainWord(word: string): boolean {
  return /^[\p{L}\p{N}/._+,:=@~ -]+$/u.test(word);
}
