/// <reference lib="esnext.disposable" preserve="true" />
import { spawnMonitored, type ChildExit } from "../wire/child.ts";
import { GreetingError } from "./errors.ts";
import { open, type ConnectOptions, type Session } from "./session.ts";

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
export async function spawnQemu(emulator: string, options: readonly string[], connect: ConnectOptions = {}): Promise<SpawnedQemu> {
  const child = await spawnMonitored(emulator, options);
  try {
    const session = await open(child.transport, connect);
    const dispose = async (): Promise<void> => {
      await session.close();
      await child.end();
    };
    return { session, pid: child.pid, exited: child.exited, [Symbol.asyncDispose]: dispose };
  } catch (cause) {
    const { lastWords } = await child.end();
    if (lastWords === "" || !(cause instanceof GreetingError)) throw cause;
    throw new GreetingError(emulator, `it did not start: ${lastWords}`, { cause });
  }
}
