import type { Timers } from "../lab/timers.ts";
import { Broken } from "./check.ts";

/** How a command ended. */
interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Makes one call to the file system the command's last: see inject.mjs. */
interface Kill {
  readonly call: string;
  readonly path: string;
  readonly when: "before" | "after";
  readonly nth: number;
  readonly act: "kill";
}

/** What a trial needs of a host with a machine `web1`: the command line, and the policy of its vCPU by the kernel's word. */
export interface EndsHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  cli(
    words: readonly string[],
    session: { readonly env: Readonly<Record<string, string | undefined>>; readonly fault?: Kill },
  ): Promise<Ended>;
  policy(): Promise<string>;
}

/** What a command is killed at: a write, or the arming of its timer. */
type Moment = Kill | "kill-before" | "kill-after";
type How = "finish" | "undo" | "forget";

const kill = (when: Kill["when"], nth: number, call = "any", path = "."): Kill => ({ call, path, when, nth, act: "kill" });

/** The moments that matter most: the record is written, and the end is. */
const FEW: readonly (readonly [Moment, How])[] = [
  [kill("after", 1, "rename", "/journal$"), "forget"],
  [kill("after", 1, "rename", "/ends$"), "undo"],
];

/** Kills a change with an end at a few moments. @throws Broken */
export async function tryFewKills(host: EndsHost, timers: Timers): Promise<void> {
  for (const [moment, how] of FEW)
    if (!(await tryKill(host, timers, moment, how))) throw new Broken(`${nameOf(moment)}: the change does not come there`);
}

/**
 * Kills a change with an end at each of its writes, and at its timer, and resolves what is left in each way. Then every timer that waits
 * fires. At the end all has to be as before; and as long as the change is there, its end has to be.
 *
 * @returns how many were killed @throws Broken
 */
export async function tryKills(host: EndsHost, timers: Timers, say: (line: string) => void): Promise<number> {
  let killed = 0;
  const tried = async (moment: Moment): Promise<boolean> => {
    let hit = false;
    for (const how of ["finish", "undo", "forget"] as const) hit = (await tryKill(host, timers, moment, how)) || hit;
    if (hit) say(`${nameOf(moment)}: held, however it was resolved`);
    if (hit) killed++;
    return hit;
  };
  for (const moment of ["kill-before", "kill-after"] as const) await tried(moment);
  for (let nth = 1; ; nth++) {
    const hits = [await tried(kill("before", nth)), await tried(kill("after", nth))];
    if (!hits.includes(true)) return killed;
  }
}

function nameOf(moment: Moment): string {
  return typeof moment === "string"
    ? `${moment} the timer is armed`
    : `killed ${moment.when} ${moment.call} ${moment.nth} of ${moment.path}`;
}

async function tryKill(host: EndsHost, timers: Timers, moment: Moment, how: How): Promise<boolean> {
  const trial = new Trial(host, timers, nameOf(moment));
  const words = ["vcpusched", "web1", "0", "batch", "--live", "--for", "8h"];
  if (typeof moment === "string") await timers.break(moment);
  const { code } = await host.cli(words, { env: trial.env, ...(typeof moment === "string" ? {} : { fault: moment }) });
  if (typeof moment === "string") await timers.mend(moment);
  if (code !== null && code !== 0) throw trial.broken(`exit ${code}`);
  const before = await host.policy();
  const info = await trial.ok("info", "web1");
  if (info.includes("\nresolve ")) {
    // The timer fires while nobody has resolved it: then it takes nothing back.
    await trial.fireAll();
    if ((await host.policy()) !== before) throw trial.broken("its timer changed what is to be resolved first");
    const told = await trial.ok("recover", "web1", `--${how}`);
    if (how !== "undo" && !/until /.test(told)) throw trial.broken(`recover says nothing of the end: ${told}`);
  }
  if ((await host.policy()) === "batch") {
    if (!/^until .*batch, then other again/m.test(await trial.ok("info", "web1")))
      throw trial.broken("the change is there, its end is not");
    if ((await timers.armed()).length === 0) throw trial.broken("no timer waits for the end");
  }
  await trial.fireAll();
  if ((await host.policy()) !== "other") throw trial.broken("it was not taken back");
  // What somebody makes so without an end stays so, whatever timers were left.
  await trial.ok("vcpusched", "web1", "0", "batch", "--live");
  await trial.fireAll();
  if ((await host.policy()) !== "batch") throw trial.broken("a timer that was left took back what it does not know");
  await trial.ok("vcpusched", "web1", "0", "other", "--live");
  return code === null;
}

class Trial {
  readonly #host: EndsHost;
  readonly #timers: Timers;
  readonly #moment: string;
  readonly env: Readonly<Record<string, string | undefined>>;

  constructor(host: EndsHost, timers: Timers, moment: string) {
    this.#host = host;
    this.#timers = timers;
    this.#moment = moment;
    this.env = { ...host.env, PATH: `${timers.folder}:${host.env["PATH"]}` };
  }

  broken(why: string): Broken {
    return new Broken(`${this.#moment}: ${why}`);
  }

  async ok(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#host.cli(words, { env: this.env });
    if (code !== 0) throw this.broken(`${words.join(" ")}: ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** All timers that wait now; not those that they arm. */
  async fireAll(): Promise<void> {
    const waiting = await this.#timers.armed();
    for (const name of waiting) await this.#timers.fire(name);
  }
}
