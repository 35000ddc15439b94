import { writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { CallVerdict } from "./gate.ts";
import type { Verdict } from "./proxy.ts";
import { type Command, type Rig, textOf } from "./rig.ts";
import type { Point, Task } from "./tasks.ts";

/** Before the point's work, or after it. */
export type When = "before" | "after";

/** What a point does then. */
export interface Act {
  readonly message: Verdict;
  readonly call: CallVerdict;
}

/** One thing that goes wrong at a point of a task. */
export interface TaskFault {
  readonly name: string;
  readonly whens: readonly When[];
  /** `text` is the message. */
  act(rig: Rig, command: Command, text: string): Promise<Act>;
  /** The right exit codes. */
  codes(task: Task, point: Point): readonly (number | null)[];
  /** The config's text after it, if that is changed by others. */
  readonly edits?: true;
  readonly killsQemu?: true;
}

const BOTH: readonly When[] = ["before", "after"];
const GOES_ON: Act = { message: undefined, call: "pass" };

/** The message with a command that nobody knows. */
function refusedText(text: string): string {
  return text
    .replace(/"execute":\s*"[\w-]+"/, '"execute":"no-such-command"')
    .replace(/"arguments":\s*\{.*\}(?=,"id"|\}$)/, '"arguments":{}');
}

/** Everything that can go wrong at a point. */
export const TASK_FAULTS: readonly TaskFault[] = [
  {
    name: "refused",
    whens: ["before"],
    act: async (_rig, _command, text) => ({ message: { lines: [refusedText(text)] }, call: "refuse" }),
    codes: (_task, { insists }) => (insists ? [0] : [1]),
  },
  {
    name: "our process killed",
    whens: BOTH,
    act: async (_rig, command) => (command.kill("SIGKILL"), { message: "break", call: "refuse" }),
    codes: () => [null],
  },
  {
    name: "QEMU killed",
    whens: BOTH,
    act: async (rig) => (await rig.killQemu(), { message: "break", call: "pass" }),
    codes: () => [1, 4],
    killsQemu: true,
  },
  {
    name: "connection broken",
    whens: BOTH,
    act: async (rig) => (rig.proxy.reset(), { message: "break", call: "pass" }),
    codes: (_task, { agent }) => (agent === undefined ? [0] : [0, 1]),
  },
  {
    name: "SIGINT",
    whens: BOTH,
    act: async (_rig, command) => {
      command.kill("SIGINT");
      await wait(50);
      return GOES_ON;
    },
    codes: (_task, { isGone }) => (isGone === undefined ? [130] : [130, 4]),
  },
  {
    name: "config edited",
    whens: ["before"],
    act: async (rig) => (await writeFile(rig.configPath, `${await textOf(rig)}\n`), GOES_ON),
    codes: ({ scope }) => (scope === "both" ? [1] : [0]),
    edits: true,
  },
];
