/// <reference lib="esnext.disposable" preserve="true" />
import { isErrorCode } from "../errors.ts";
import { type ChildExit, spawnMonitored } from "../wire/child.ts";
import { GreetingError } from "./errors.ts";
import { type ConnectOptions, open, type Session } from "./session.ts";

/** How to start a QEMU and open a session with it. */
export interface SpawnOptions extends ConnectOptions {
  /**
   * Open descriptors of ours, which QEMU gets as 4, 5, …: name them in its options, as in `-add-fd fd=4,set=1` or `-netdev tap,id=n,fd=4`.
   * They stay ours to close. No other way leads there from Node, which can't send a descriptor over a socket.
   */
  readonly descriptors?: readonly number[] | undefined;
}

/** A QEMU that we started, and the session with it. Disposing ends QEMU. */
export interface SpawnedQemu extends AsyncDisposable {
  readonly session: Session;
  readonly pid: number;
  /** How it ended, with the end of what it wrote to its stderr. Never rejects. */
  readonly exited: Promise<ChildExit>;
}

/**
 * Starts QEMU with a monitor on a socket pair and opens a session: no socket's path, no waiting for one to appear, no other client.
 * `options` are QEMU's own command line; a monitor is added to it. Nothing of the process's environment changes.
 *
 * @throws ConnectError (no such program), GreetingError with QEMU's own words when it does not start, else as {@link open} does
 */
export async function spawnQemu(emulator: string, options: readonly string[], connect: SpawnOptions = {}): Promise<SpawnedQemu> {
  const child = await spawnMonitored(emulator, options, connect, connect.descriptors ?? []);
  try {
    const session = await open(child.transport, connect);
    const dispose = async (): Promise<void> => {
      await session.close();
      await child.end();
    };
    return { session, pid: child.pid, exited: child.exited, [Symbol.asyncDispose]: dispose };
  } catch (cause) {
    const { code, signal, lastWords } = await child.end();
    // One that ended as we asked it to did start, whatever it warned of.
    const failed = code !== 0 && signal !== "SIGTERM" && signal !== "SIGKILL";
    // One that can't set its machine up has greeted by then, and answers nothing.
    const isEnd = cause instanceof GreetingError || isErrorCode(cause, "closed") || isErrorCode(cause, "negotiation");
    if (!failed || lastWords === "" || !isEnd) throw cause;
    throw new GreetingError(emulator, `it did not start: ${lastWords}`, { cause });
  }
}
