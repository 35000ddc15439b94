import { parseCount } from "../count.ts";
import { parseDuration } from "../duration.ts";
import { eventLine } from "../event-line.ts";
import type { Monitor, MonitorEvent } from "../facade.ts";
import { type Arguments, misuse } from "../options.ts";
import { painter, toJson } from "../output.ts";
import type { Call, Verb } from "../verb.ts";

export const verb: Verb = {
  usage: ["events DOMAIN [NAME...]"],
  summary: "print the events of the machine as they come",
  details: [
    "NAME is an event of QMP, as SHUTDOWN; without names all are printed. Each line is one event as JSON; on a terminal its time, name and data.",
    "Ends with 0 after --count events or at --timeout, with 5 when fewer than --count came by then, with 1 when the machine goes away.",
  ],
  options: {
    count: { about: "end after so many events", value: "N" },
    timeout: { about: "end after this time", value: "TIME" },
  },
  operands: { names: ["DOMAIN", "NAME"], required: 1, many: true },
  async run({ args, io, facade }: Call): Promise<number> {
    const limits = limitsOf(args);
    await using machine = await facade.open(args.operand(0));
    await using monitor = await machine.connect({ monitor: "watch", signal: io.signal });
    const draw = args.flag("json") || !io.stdout.isTTY ? (event: MonitorEvent): string => toJson(event) : (event: MonitorEvent): string => eventLine(event, painter(io.stdout, io.env));
    const left = await watch(monitor, args.operands.slice(1), { ...limits, signal: io.signal }, (event) => io.stdout.write(`${draw(event)}\n`));
    // ^C is how a watcher ends: nothing to complain about.
    if (io.signal.aborted) return 130;
    return left > 0 && limits.count !== undefined ? 5 : 0;
  },
};

interface Limits {
  readonly count: number | undefined;
  readonly timeout: number | undefined;
}

function limitsOf(args: Arguments): Limits {
  const [count, timeout] = [args.text("count"), args.text("timeout")];
  if (count !== undefined && parseCount(count, "--count") < 1) throw misuse(`--count ${count}: give 1 or more`, count, "a whole number, 1 or more");
  return { count: count === undefined ? undefined : Number(count), timeout: timeout === undefined ? undefined : parseDuration(timeout) };
}

/** Resolves with how many of `count` did not come by the deadline or the interrupt; rejects with why the machine is gone. */
async function watch(monitor: Monitor, names: readonly string[], limits: Limits & { readonly signal: AbortSignal }, print: (event: MonitorEvent) => void): Promise<number> {
  using events = monitor.events();
  const wanted = new Set(names.map((name) => name.toUpperCase()));
  let left = limits.count ?? Infinity;
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = limits.timeout === undefined ? undefined : setTimeout(end, limits.timeout);
  limits.signal.addEventListener("abort", end, { once: true });
  if (limits.signal.aborted) end();
  const ended = new Promise<undefined>((resolve) => over.signal.addEventListener("abort", () => resolve(undefined), { once: true }));
  const iterator = events[Symbol.asyncIterator]();
  try {
    while (left > 0 && !over.signal.aborted) {
      const next = await Promise.race([iterator.next(), ended]);
      if (next === undefined || next.done === true) break;
      if (wanted.size > 0 && !wanted.has(next.value.event)) continue;
      print(next.value);
      left--;
    }
  } finally {
    clearTimeout(timer);
    limits.signal.removeEventListener("abort", end);
  }
  return left;
}
