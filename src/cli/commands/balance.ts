import type { BalanceOptions } from "../../domain/balance/shapes.ts";
import type { Domain, Facade } from "../../domain/facade.ts";
import { parseDuration, timeoutOf } from "../duration.ts";
import { type Arguments, misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["balance [DOMAIN...] --once", "balance [DOMAIN...] [--every TIME]"],
  section: "memory",
  summary: "move memory to the machines that need it",
  details: [
    "It goes by what the guests say of their memory, and by how the host stands. Each machine stays between memory.min and memory.max of its config; one without memory.min is left alone. Without DOMAIN it is about all that run.",
    "Each move is a change of the live half as setmem --dynamic makes it. It ends with Ctrl-C or SIGTERM, with exit code 0: a move that has begun is finished or undone, and how often QEMU asks the guests is put back. What was moved stays: revert takes it back.",
    "A machine whose memory somebody else moves is left alone for --hands-off. One balance runs at a time. It is about this host: for another one, run it there.",
  ],
  examples: [
    ["balance --once --dry-run", "what would be moved now, and why; nothing is touched"],
    ["balance --every 5s --keep-free 4G", "go on until Ctrl-C, and leave the host 4 GiB"],
  ],
  options: {
    once: { about: "one round" },
    every: { about: "from one round to the next (default: 5 s)", value: "TIME" },
    "dry-run": { about: "show what would be moved, and touch nothing" },
    "keep-free": { about: "what the host keeps (default: a tenth, 512 MiB at least and 16 GiB at most)", value: "SIZE" },
    "at-most": { about: "the most that the machines have together", value: "SIZE" },
    "hands-off": { about: "how long a machine is left alone that somebody else has moved (default: 10 min)", value: "TIME" },
    timeout: { about: "how long each change may take; then it goes on by itself (default: 5 s)", value: "TIME" },
  },
  operands: { names: ["DOMAIN"], required: 0, many: true },
  async run(call) {
    const { args, io, facade } = call;
    if (facade.isElsewhere === true || args.operands.some((name) => name.startsWith("ssh://")))
      throw misuse(
        "balance: is of the host that it runs on, whose memory it looks at; run it there: ssh HOST qmpctl balance",
        "balance",
        "run it there",
      );
    const options = await optionsOf(args);
    const [{ balance }, { BalancePrinter }] = await Promise.all([import("../../domain/balance/balance.ts"), import("../balance-lines.ts")]);
    const printer = new BalancePrinter(io, { json: args.flag("json"), whole: options.once === true, isNamed: args.operands.length > 0 });
    const domains = new Opened(facade, args.operands, io.signal);
    try {
      for await (const round of balance(() => domains.now(), { ...options, env: io.env, signal: io.signal })) await printer.print(round);
    } finally {
      await domains.letGo();
    }
    return printer.exitCode(io.signal.aborted);
  },
});

type Flag = "once" | "dry-run";
type Text = "every" | "keep-free" | "at-most" | "hands-off" | "timeout";

/** @throws UsageError */
async function optionsOf(args: Arguments<Flag, Text>): Promise<BalanceOptions> {
  const { parseSize } = await import("../../config/size.ts");
  const size = (name: "keep-free" | "at-most"): number | undefined => {
    const text = args.text(name);
    return text === undefined ? undefined : parseSize(text);
  };
  const time = (name: "every" | "hands-off"): number | undefined => {
    const text = args.text(name);
    return text === undefined ? undefined : parseDuration(text);
  };
  if (args.flag("once") && args.text("every") !== undefined)
    throw misuse("--once and --every: give only one", "--every", "--once, or --every TIME");
  return {
    ...{ once: args.flag("once"), dryRun: args.flag("dry-run"), every: time("every"), keepFree: size("keep-free") },
    ...{ atMost: size("at-most"), handsOff: time("hands-off"), ...timeoutOf(args) },
  };
}

/** How long a list of all domains is good for, in milliseconds. */
const LISTED = 30_000;

/** Those that were named, or all that run, found anew now and then. */
class Opened {
  readonly #facade: Facade;
  readonly #names: readonly string[];
  readonly #signal: AbortSignal;
  readonly #domains = new Map<string, Domain>();
  #listed: { readonly names: readonly string[]; readonly at: number } | undefined;

  constructor(facade: Facade, names: readonly string[], signal: AbortSignal) {
    this.#facade = facade;
    this.#names = [...new Set(names)];
    this.#signal = signal;
  }

  async now(): Promise<readonly Domain[]> {
    const domains: Domain[] = [];
    const isNamed = this.#names.length > 0;
    for (const name of isNamed ? this.#names : await this.#running()) {
      // One that was listed may be undefined by now.
      const domain =
        this.#domains.get(name) ?? (await (isNamed ? this.#facade.open(name) : this.#facade.open(name).catch(() => undefined)));
      if (domain === undefined) continue;
      this.#domains.set(name, domain);
      domains.push(domain);
    }
    return domains;
  }

  async letGo(): Promise<void> {
    for (const domain of this.#domains.values()) await domain[Symbol.asyncDispose]();
  }

  async #running(): Promise<readonly string[]> {
    if (this.#listed === undefined || performance.now() - this.#listed.at > LISTED) {
      const found = await this.#facade.list({ signal: this.#signal });
      this.#listed = { names: found.map(({ name }) => name), at: performance.now() };
    }
    return this.#listed.names;
  }
}
