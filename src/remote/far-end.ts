import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { Facade } from "../domain/facade.ts";
import { domainFolders } from "../domain/machine/place.ts";
import type { Allowed } from "./allowed.ts";
import type { More } from "./more.ts";
import { Outcomes } from "./outcomes.ts";
import { ownMachines } from "./own-machines.ts";
import { serve } from "./serve.ts";
import { stdioTransport } from "./stdio.ts";

/** The process that is a far end. */
export interface FarEndOptions {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The effective user id. */
  readonly uid: number;
  readonly version: string;
  /** Aborted when the process is asked to end. */
  readonly signal: AbortSignal;
  readonly allowed?: Allowed | undefined;
  /** What was read of stdin already. */
  readonly first?: Uint8Array | undefined;
  /** The part of this program that is sent when it is needed. */
  readonly more?: More | undefined;
}

/** Answers the near end that is at this process's standard input and output. Resolves when it is gone and nothing is under way. */
export function serveHere(host: Facade, options: FarEndOptions): Promise<void> {
  const { stdin, stdout, env, uid, version, signal, allowed, first, more } = options;
  const outcomes = new Outcomes(domainFolders({ env }).state);
  return serve(ownMachines(host, { uid, env }), stdioTransport(stdin, stdout, first), {
    version,
    boot: bootId(),
    outcomes,
    signal,
    allowed,
    more,
  });
}

/** What the kernel calls this start of the host; undefined where it does not say. */
function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
