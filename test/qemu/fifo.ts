import { execFile } from "node:child_process";
import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ArgumentsOf } from "../../src/schema/vocabulary.ts";

/** A command that QEMU is stuck in until it is let go: a blkdebug node reads its rules from a FIFO, which blocks. */
export interface Block {
  readonly command: "blockdev-add";
  readonly parameters: ArgumentsOf<"blockdev-add">;
  /** Resolves when this QEMU is in it: before, a client that leaves would take the command along. */
  begun(pid: number): Promise<void>;
  /** Lets QEMU go on. */
  release(): Promise<void>;
}

let count = 0;

/** A way to block QEMU, in a folder of the test's own. */
export async function block(folder: string): Promise<Block> {
  const fifo = join(folder, `rules${count++}`);
  await promisify(execFile)("mkfifo", [fifo]);
  return {
    command: "blockdev-add",
    parameters: { driver: "blkdebug", "node-name": `blocked${count}`, config: fifo, image: { driver: "null-co" } },
    begun: async (pid) => {
      while (!(await waitsForPartner(pid)));
    },
    release: async () => {
      await using writer = await open(fifo, "w");
      await writer.write("\n");
    },
  };
}

/**
 * Whether one of its threads opens a FIFO that nobody has open at the other end: the kernel's name for that has not changed in twenty
 * years.
 */
async function waitsForPartner(pid: number): Promise<boolean> {
  const tids = await readdir(`/proc/${pid}/task`);
  const places = await Promise.all(tids.map((tid) => readFile(`/proc/${pid}/task/${tid}/wchan`, "utf8").catch(() => "")));
  return places.includes("wait_for_partner");
}
