import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ArgumentsOf } from "../../src/schema/vocabulary.ts";

/** A command that QEMU is stuck in until it is let go: a blkdebug node reads its rules from a FIFO, which blocks (TESTBED.md). */
export interface Block {
  readonly command: "blockdev-add";
  readonly parameters: ArgumentsOf<"blockdev-add">;
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
    release: async () => {
      await using writer = await open(fifo, "w");
      await writer.write("\n");
    },
  };
}
