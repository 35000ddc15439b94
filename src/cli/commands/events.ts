import { isErrorCode } from "../../errors.ts";
import { parseCount } from "../count.ts";
import { parseDuration } from "../duration.ts";
import { eventLine } from "../event-line.ts";
import { EXIT } from "../exit-code.ts";
import type { Monitor, MonitorEvent } from "../facade.ts";
import { whatIsHeld } from "../held.ts";
import { type Arguments, misuse } from "../options.ts";
import { flow, painter, toJson } from "../output.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["events DOMAIN [NAME...]"],
  summary: "print the machine's events as they come",
  details: [
    "NAME is a QMP event, such as SHUTDOWN. Without names, all events are printed.",
    "Each line is one event as JSON. On a terminal it is the time, the name and the data.",
    "Exit code 0: --count events came, or --timeout is over, or the machine ended after its SHUTDOWN.",
    "Exit code 5: --count was given, and fewer events came before the end.",
    "Exit code 1: the machine ended in another way, or events came faster than they were read and some are lost.",
  ],
  options: {
    count: { about: "end after this many events", value: "N" },
    timeout: { about: "end after this time", value: "TIME" },
    // What virsh has to be told, and happens here anyway.
    loop: { about: "", hidden: true },
  },
  operands: { names: ["DOMAIN", "NAME"], required: 1, many: true },
  async run({ args, io, facade }) {
    const start = performance.now();
    const limits = limitsOf(args);
    const { timeout = Infinity } = limits;
    await using domain = await facade.open(args.operand(0));
    // To the greeting too; more time than usual is for events, not for a QEMU that says nothing.
    await using monitor = await domain.connect({
      monitor: "any",
      signal: io.signal,
      ...(timeout < USUAL ? { timeout: Math.max(1, timeout) } : {}),
    });
    const held = whatIsHeld(domain, monitor);
    if (held !== undefined && io.stderr.isTTY) io.stderr.write(flow(held, io.stderr.columns));
    const draw =
      args.flag("json") || !io.stdout.isTTY
        ? (event: MonitorEvent): string => toJson(event)
        : (event: MonitorEvent): string => eventLine(event, painter(io.stdout, io.env));
    const print: Print = async (event) => {
      io.stdout.write(`${draw(event)}\n`);
      await io.stdout.drained?.();
    };
    // Before anything else is asked, so that nothing is missed.
    using events = monitor.events();
    const names = args.operands.slice(1);
    if (names.length > 0) await checkNames(monitor, names, io.signal);
    const left = await watch(
      events,
      names,
      { ...limits, timeout: timeout === Infinity ? undefined : Math.max(0, timeout - (performance.now() - start)), signal: io.signal },
      print,
    );
    // ^C is how a watcher ends: nothing to complain about.
    if (io.signal.aborted) return EXIT.interrupted;
    return left > 0 && limits.count !== undefined ? EXIT.pending : EXIT.done;
  },
});

/** How long a machine has to greet where nothing is said, in milliseconds. */
const USUAL = 5000;

/**
 * A name that no event of this QEMU has would be waited for without an end. One that does not describe itself is believed. @throws
 * UsageError
 */
async function checkNames(monitor: Monitor, names: readonly string[], signal: AbortSignal): Promise<void> {
  const { Schema } = await import("../shell/schema.ts");
  const reply = await monitor.execute("query-qmp-schema", undefined, { timeout: USUAL, signal }).catch((error: unknown) => {
    if (isErrorCode(error, "command", "timeout")) return undefined;
    throw error;
  });
  if (Array.isArray(reply)) new Schema(reply as ConstructorParameters<typeof Schema>[0]).checkEvents(names);
}

interface Limits {
  readonly count: number | undefined;
  readonly timeout: number | undefined;
}

function limitsOf(args: Arguments<never, "count" | "timeout">): Limits {
  const [count, timeout] = [args.text("count"), args.text("timeout")];
  if (count !== undefined && parseCount(count, "--count") < 1)
    throw misuse(`--count ${count}: give 1 or more`, count, "a whole number, 1 or more");
  return { count: count === undefined ? undefined : Number(count), timeout: timeout === undefined ? undefined : parseDuration(timeout) };
}

/** Prints one event, and settles when there is room for the next. */
type Print = (event: MonitorEvent) => Promise<void>;

/**
 * Resolves with how many of `count` did not come by the deadline, the interrupt or the machine's end; rejects with why the machine is gone
 * otherwise.
 */
async function watch(
  events: AsyncIterable<MonitorEvent>,
  names: readonly string[],
  limits: Limits & { readonly signal: AbortSignal },
  print: Print,
): Promise<number> {
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = limits.timeout === undefined ? undefined : setTimeout(end, limits.timeout);
  limits.signal.addEventListener("abort", end, { once: true });
  if (limits.signal.aborted) end();
  try {
    return await relay(events[Symbol.asyncIterator](), names, limits.count ?? Infinity, over.signal, print);
  } finally {
    clearTimeout(timer);
    limits.signal.removeEventListener("abort", end);
  }
}

async function relay(
  events: AsyncIterator<MonitorEvent>,
  names: readonly string[],
  count: number,
  over: AbortSignal,
  print: Print,
): Promise<number> {
  const wanted = new Set(names.map((name) => name.toUpperCase()));
  let left = count;
  let goes = false;
  try {
    while (left > 0 && !over.aborted) {
      const next = await unless(over, events.next());
      if (next === undefined || next.done === true) break;
      goes = next.value.event === "SHUTDOWN" || (goes && !LIVES.has(next.value.event));
      if (wanted.size > 0 && !wanted.has(next.value.event)) continue;
      left--;
      // What waits here is not read meanwhile: the stream holds so many events, and then it ends and says why.
      await unless(over, print(next.value));
    }
  } catch (error) {
    // A QEMU whose guest shut down ends, and the connection with it.
    if (!goes || !isErrorCode(error, "closed")) throw error;
  }
  return left;
}

/** After these a SHUTDOWN before them was not the end. */
const LIVES: ReadonlySet<string> = new Set(["RESET", "RESUME"]);

/**
 * The promise's outcome; undefined when the signal comes first. A race with one long promise would keep something of each turn until its
 * end.
 */
function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
