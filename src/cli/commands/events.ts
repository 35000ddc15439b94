import type { Monitor, MonitorEvent } from "../../domain/facade.ts";
import { isErrorCode } from "../../errors.ts";
import { parseCount } from "../count.ts";
import { parseDuration } from "../duration.ts";
import { eventLine } from "../event-line.ts";
import { EXIT } from "../exit-code.ts";
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
  examples: [
    ["events web1", "all events, until Ctrl-C"],
    ["events web1 SHUTDOWN --count 1 --timeout 10m", "wait for one, ten minutes at most"],
  ],
  options: {
    count: { about: "end after this many events", value: "N" },
    timeout: { about: "end after this time", value: "TIME" },
    // virsh needs this option. Here it is always so.
    loop: { about: "", hidden: true },
  },
  operands: { names: ["DOMAIN", "NAME"], required: 1, many: true, kinds: { NAME: "EVENT" } },
  async run({ args, io, facade }) {
    const start = performance.now();
    const limits = limitsOf(args);
    const { timeout = Infinity } = limits;
    await using domain = await facade.open(args.operand(0));
    // A short --timeout also limits the wait for the greeting. A long one does not extend it.
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
    // This comes before any other request, so that no event is missed.
    using events = monitor.events();
    const names = args.operands.slice(1);
    if (names.length > 0) await checkNames(monitor, names, io.signal);
    const left = await watch(
      events,
      names,
      { ...limits, timeout: timeout === Infinity ? undefined : Math.max(0, timeout - (performance.now() - start)), signal: io.signal },
      print,
    );
    // ^C is the usual end of a watch, so there is no error message.
    if (io.signal.aborted) return EXIT.interrupted;
    return left > 0 && limits.count !== undefined ? EXIT.pending : EXIT.done;
  },
});

/** How long a machine may take for its greeting by default, in milliseconds. */
const USUAL = 5000;

/**
 * An event that this QEMU does not have would never come. If the QEMU does not describe itself, every name is accepted.
 * @throws UsageError when this QEMU has no such event
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

/** Prints one event, and resolves when there is room for the next. */
type Print = (event: MonitorEvent) => Promise<void>;

/**
 * Resolves with how many of `count` events did not come before the deadline, the interrupt or the machine's end.
 * Rejects if the connection ends in any other way.
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
      // Nothing is read during this wait. The stream holds a limited number of events; if more come, it ends and says so.
      await unless(over, print(next.value));
    }
  } catch (error) {
    // After its guest has shut down, QEMU ends and closes the connection.
    if (!goes || !isErrorCode(error, "closed")) throw error;
  }
  return left;
}

/** After one of these, an earlier SHUTDOWN was not the end. */
const LIVES: ReadonlySet<string> = new Set(["RESET", "RESUME"]);

/** The promise's outcome, or `undefined` if the signal comes first. `Promise.race` with one long promise would leak memory each turn. */
function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
