/// <reference lib="esnext.disposable" />
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";

/** A program of the host that the command under test runs, or a file of a control group that it writes (`write`, with the path). */
export interface Call {
  /** Before its work, or after it. */
  readonly when: "before" | "after";
  readonly tool: string;
  readonly args: readonly string[];
}

/** What happens to a call: it goes on, or it fails as the host would have it, which counts before its work. */
export type CallVerdict = "pass" | "refuse";

/** Stands between the command under test and the host: each call waits for a verdict, before and after its work. */
export class Gate implements AsyncDisposable {
  readonly folder: string;
  /** Comes first in the PATH of the command. */
  readonly bin: string;
  readonly #answer: number;
  readonly #asked: Socket;

  private constructor(folder: string, watcher: (call: Call) => CallVerdict | Promise<CallVerdict>) {
    this.folder = folder;
    this.bin = join(folder, "bin");
    // Open for both, so that neither side waits for the other to open it.
    const flags = constants.O_RDWR | constants.O_NONBLOCK;
    this.#answer = openSync(join(folder, "answer"), flags);
    this.#asked = new Socket({ fd: openSync(join(folder, "asked"), flags), readable: true, writable: false });
    let rest = "";
    let turn: Promise<unknown> = Promise.resolve();
    this.#asked.setEncoding("utf8").on("data", (piece: string) => {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        turn = turn.then(async () => {
          const [when, tool = "", ...args] = line.split(" ");
          writeSync(this.#answer, `${await watcher({ when: when as Call["when"], tool, args })}\n`);
        });
    });
  }

  /** Makes a gate in this folder, in the place of one before it. */
  static async open(folder: string, watcher: (call: Call) => CallVerdict | Promise<CallVerdict>): Promise<Gate> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, "bin"), { recursive: true });
    execFileSync("mkfifo", [join(folder, "asked"), join(folder, "answer")]);
    for (const tool of ["taskset", "chrt"]) {
      await writeFile(join(folder, "bin", tool), scriptOf(tool, folder));
      await chmod(join(folder, "bin", tool), 0o755);
    }
    return new Gate(folder, watcher);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#asked.destroy();
    closeSync(this.#answer);
  }
}

/** A program in front of the host's own that asks at the gate. */
function scriptOf(tool: string, folder: string): string {
  return `#!/bin/sh
PATH=\${PATH#*:}
echo "before ${tool} $*" >'${folder}/asked'
read -r verdict <'${folder}/answer'
[ "$verdict" = refuse ] && { echo "${tool}: injected: not permitted here" >&2; exit 1; }
${tool} "$@"
status=$?
echo "after ${tool} $*" >'${folder}/asked'
read -r verdict <'${folder}/answer'
exit $status
`;
}
