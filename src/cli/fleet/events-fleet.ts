import { isErrorCode } from "../../errors.ts";
import { forMany } from "../../remote/fleet/many-listeners.ts";
import { type OpenDomain, openDomains } from "../../remote/fleet/open-domains.ts";
import { EXIT } from "../exit-code.ts";
import { wording } from "../failure.ts";
import { oneLine } from "../harmless.ts";
import { flow } from "../output.ts";
import type { Io, Sink } from "../verb.ts";
import { captured } from "./captured.ts";
import type { FleetCall } from "./fleet-call.ts";
import { FleetProgressLine } from "./fleet-progress.ts";
import { NOBODY } from "./nobody.ts";
import { anonymous, sayTrouble } from "./read-fleet.ts";

/**
 * Prints the events of all machines as they come, each with its host and domain. One that is lost is told on stderr, and the others go on;
 * it ends when all have ended.
 */
export async function eventsOfFleet(call: FleetCall): Promise<number> {
  const { io, args, domain: meant } = call;
  await using open = await opened(call, meant);
  const failed = open.failed.map(({ member, name, error }) => ({ host: member.name, domain: name, error, trouble: wording(error) }));
  if (failed.length > 0) sayTrouble(failed, io);
  const counter = new Counter(args.text("count" as never), io.signal);
  const codes = await Promise.all(open.found.map((each) => watchOne(call, each, counter)));
  if (io.signal.aborted) return EXIT.interrupted;
  if (counter.isFull) return EXIT.done;
  if (failed.length > 0 || codes.includes(EXIT.failed)) return EXIT.failed;
  return counter.limit === undefined ? EXIT.done : EXIT.pending;
}

async function opened({ crew, io, how }: FleetCall, meant: string): Promise<Awaited<ReturnType<typeof openDomains>>> {
  using _ = new FleetProgressLine(io);
  return await openDomains(crew, meant, { ...how.many, signal: io.signal });
}

/** Counts the events of all: `--count` is about them together. */
class Counter {
  readonly limit: number | undefined;
  readonly signal: AbortSignal;
  readonly #full = new AbortController();
  #count = 0;

  constructor(limit: string | undefined, signal: AbortSignal) {
    this.limit = limit === undefined ? undefined : Number(limit);
    this.signal = forMany(AbortSignal.any([signal, this.#full.signal])) ?? signal;
  }

  get isFull(): boolean {
    return this.#full.signal.aborted;
  }

  /** Whether one more event counts. */
  take(): boolean {
    if (this.limit === undefined) return true;
    if (this.isFull) return false;
    if (++this.#count === this.limit) this.#full.abort(new Error("enough"));
    return true;
  }
}

/** Watches one machine, by the verb's own `run`. Resolves with its exit code. */
async function watchOne({ io, verb, callFor, stdin }: FleetCall, { member, name, domain }: OpenDomain, counter: Counter): Promise<number> {
  const whose = { host: member.name, domain: name };
  const own = captured(io, stdin);
  const stdout: Sink = {
    isTTY: io.stdout.isTTY,
    columns: io.stdout.columns,
    write: (text) => {
      if (counter.take()) io.stdout.write(marked(text, whose));
    },
    ...(io.stdout.drained === undefined ? {} : { drained: () => io.stdout.drained?.() ?? Promise.resolve() }),
  };
  const { stderr, env } = own.io;
  const seen: Io = { ...own.io, stdout, stderr, env, signal: counter.signal };
  try {
    const facade = { ...NOBODY, open: async () => domain };
    return await verb.run(callFor(name, facade, seen));
  } catch (error) {
    if (counter.signal.aborted) return EXIT.done;
    // A name of an event that this QEMU does not have is wrong for all of them, but only this one said so.
    const words = anonymous(wording(error), whose);
    io.stderr.write(flow(`qmpctl: ${whose.host}/${whose.domain}: ${words}`, io.stderr.columns));
    return isErrorCode(error, "usage") ? EXIT.usage : EXIT.failed;
  }
}

/** A line with whose it is: as the first members of a JSON object, or in front. */
function marked(text: string, { host, domain }: { readonly host: string; readonly domain: string }): string {
  if (!text.startsWith("{")) return `${oneLine(`${host}/${domain}`)}: ${text}`;
  return `${JSON.stringify({ host, domain }).slice(0, -1)},${text.slice(1)}`;
}
