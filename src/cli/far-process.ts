import { type OwnProgram, programIs } from "../host/own-program.ts";
import type { Allowed } from "../remote/allowed.ts";
import { serveHere } from "../remote/far-end.ts";
import type { More } from "../remote/more.ts";
import { openFacade } from "./open.ts";

/** What is told of this process besides what it is. */
export interface FarProcessOptions {
  readonly version: string;
  readonly allowed?: Allowed | undefined;
  /** What was read of stdin already. */
  readonly first?: Uint8Array | undefined;
  /** The part of this program that is sent when it is needed, where all of it is not here. */
  readonly more?: More | undefined;
}

/** This program, as a file of this host that a timer can run: it came from another one, and is in none. */
export function textOf(more: More): OwnProgram {
  return { text: () => more.text() ?? "" };
}

/**
 * Makes this process the far end of a connection, until the near end is gone and nothing is under way. A connection that ends says so by
 * the end of stdin: sshd's hangup must not end what has begun.
 */
export async function serveProcess(options: FarProcessOptions): Promise<void> {
  const { more } = options;
  if (more !== undefined) programIs(() => textOf(more));
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeAllListeners(name);
  process.on("SIGHUP", () => {});
  process.once("SIGTERM", () => interrupted.abort(new Error("interrupted by SIGTERM")));
  const { stdin, stdout, env } = process;
  await serveHere(openFacade(env, false, undefined, ["qmpctl", "serve"]), {
    ...options,
    stdin,
    stdout,
    env,
    uid: process.geteuid?.() ?? -1,
    signal: interrupted.signal,
  });
}
