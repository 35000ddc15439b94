import { Readable } from "node:stream";
import { factsOf } from "../../scripts/lab/facts.ts";
import { run } from "../../src/cli/command.ts";
import { harmless } from "../../src/cli/harmless.ts";
import type { Io, Sink, There } from "../../src/cli/verb.ts";
import type { Report } from "../../src/domain/change/change-report.ts";
import type { WorkedOut } from "../../src/domain/change/plan-asking.ts";
import type { Domain, Facade, Monitor, MonitorEvent } from "../../src/domain/facade.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import type { Crew } from "../../src/remote/fleet/crew.ts";
import { ALONE } from "./alone.ts";

/** A sink that keeps what is written to it. */
export class Paper implements Sink {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor(columns?: number) {
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }

  // As the sinks of main.ts do.
  write(text: string): void {
    this.text += harmless(text);
  }
}

/** Paper whose reader takes one piece at a time, when the test says so. */
export class SlowPaper extends Paper {
  /** Pieces that were written before the ones before them were taken. */
  unasked = 0;
  #taken: (() => void)[] = [];
  #full = false;

  override write(text: string): void {
    super.write(text);
    if (this.#full) this.unasked++;
    this.#full = true;
  }

  drained(): Promise<void> {
    return this.#full ? new Promise((resolve) => this.#taken.push(resolve)) : Promise.resolve();
  }

  /** The reader takes what there is. Settles when the writer has gone on. */
  async take(): Promise<void> {
    this.#full = false;
    for (const tell of this.#taken.splice(0)) tell();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface Stage {
  /** The terminal's width on both streams; absent: pipes. */
  readonly columns?: number;
  /** What is piped in; with `columns` it is a terminal. */
  readonly stdin?: Io["stdin"];
  readonly env?: Io["env"];
  readonly signal?: AbortSignal;
  /** In place of paper that takes everything. */
  readonly stdout?: Paper;
  readonly domain?: Partial<Domain>;
  readonly facade?: Partial<Facade>;
  /** The hosts of every list. */
  readonly crew?: Crew;
  /** The domains of another host, by its name. */
  readonly host?: (name: string, how: There) => Promise<Facade>;
}

export interface Played {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Names that were opened, and how many of the handles were disposed of. */
  readonly opened: readonly string[];
  readonly disposed: number;
}

/** An Io on paper. */
export function ioOf(stage: Stage = {}): Io & { readonly stdout: Paper; readonly stderr: Paper } {
  return {
    stdout: stage.stdout ?? new Paper(stage.columns),
    stderr: new Paper(stage.columns),
    stdin: stage.stdin ?? Readable.from([]),
    env: stage.env ?? {},
    signal: stage.signal ?? new AbortController().signal,
  };
}

/** Runs a command line against a domain that can do what the stage says and nothing else. */
export async function play(argv: readonly string[], stage: Stage = {}): Promise<Played> {
  const io = ioOf(stage);
  const opened: string[] = [];
  let disposed = 0;
  const open = async (name: string): Promise<Domain> => {
    opened.push(name);
    const domain = { name, [Symbol.asyncDispose]: async () => void disposed++, ...stage.domain };
    return domain as Domain;
  };
  const facade = { open, ...stage.facade } as Facade;
  const { crew, host } = stage;
  const others = { ...ALONE, ...(crew === undefined ? {} : { fleet: async () => crew }), ...(host === undefined ? {} : { host }) };
  const code = await run(argv, { io, facade, ...others, version: async () => "1.2.3" });
  return { code, stdout: io.stdout.text, stderr: io.stderr.text, opened, disposed };
}

/** The first change that was asked for; one that is worked out, of a machine as `factsOf()` has it. */
export function madeOf(wanted: Change | readonly Change[] | WorkedOut): Change {
  const [change] = typeof wanted === "function" ? wanted(factsOf(), "current") : "resource" in wanted ? [wanted] : wanted;
  if (change === undefined) throw new Error("nothing was asked for");
  return change;
}

/** A report of a memory change that worked, with what a test wants different. */
export function reportOf(changed: Partial<Report> = {}): Report {
  return {
    domain: "web1",
    scope: "both",
    state: "running",
    outcome: "applied",
    changes: [
      {
        change: { resource: "memory", size: 300 * 2 ** 20 },
        static: { outcome: "applied", before: 2 ** 30, wanted: 300 * 2 ** 20, actual: 300 * 2 ** 20 },
        dynamic: { outcome: "applied", before: 2 ** 30, wanted: 300 * 2 ** 20, actual: 300 * 2 ** 20 },
      },
    ],
    steps: [],
    refusals: [],
    notes: [],
    elapsed: 12,
    ...changed,
  };
}

/** A monitor that has these events, and then ends with this error or waits for ever. */
export function monitorOf(events: readonly MonitorEvent[], end?: Error): Monitor {
  const disposable = { [Symbol.asyncDispose]: async () => {} };
  const execute = async (): Promise<unknown> => undefined;
  return {
    ...disposable,
    execute,
    exchange: async () => ({ return: {} }),
    events: () => ({
      async *[Symbol.asyncIterator]() {
        yield* events;
        if (end !== undefined) throw end;
        await new Promise(() => {});
      },
      [Symbol.dispose]() {},
    }),
  };
}

/** A machine that starts and ends as it is asked, each time with the same to tell. */
export function livesOf(
  told: never,
): Pick<Domain, "start" | "restart" | "shutdown" | "destroy" | "reset" | "suspend" | "resume" | "undefine"> {
  const tells = async (): Promise<never> => told;
  const done = async (): Promise<never> => undefined as never;
  return { start: tells, restart: tells, shutdown: tells, destroy: tells, reset: done, suspend: done, resume: done, undefine: done };
}
