/// <reference lib="esnext.disposable" preserve="true" />
import { isErrorCode } from "../errors.ts";
import { type ChildExit, spawnMonitored } from "../wire/child.ts";
import { GreetingError } from "./errors.ts";
import { type ConnectOptions, open, type Session } from "./session.ts";

/** How to start a QEMU and open a session with it. */
export interface SpawnOptions extends ConnectOptions {
  /**
   * Open descriptors of ours, which QEMU gets as 4, 5, …. Name them in its options, as in `-add-fd fd=4,set=1` or `-netdev tap,id=n,fd=4`.
   * The caller still closes them. Node has no other way to pass a descriptor: it can't send one over a socket.
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
 * Starts QEMU with a monitor on a socket pair, and opens a session: there is no path, nothing to wait for, and no other client. `options`
 * are QEMU's own command line; a monitor is added to it. QEMU gets the environment of this process unchanged.
 *
 * @throws ConnectError when there is no such program; GreetingError with QEMU's own words when it does not start; else as {@link open}
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
    // One that ended as we asked did start, whatever it wrote on stderr.
    const failed = code !== 0 && signal !== "SIGTERM" && signal !== "SIGKILL";
    // A QEMU that can't set up its machine has sent its greeting already, and answers nothing.
    const isEnd = cause instanceof GreetingError || isErrorCode(cause, "closed") || isErrorCode(cause, "negotiation");
    if (!failed || lastWords === "" || !isEnd) throw cause;
    throw new GreetingError(emulator, `it did not start: ${lastWords}`, { cause });
  }
}
