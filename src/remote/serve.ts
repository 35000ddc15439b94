import type { Facade } from "../domain/facade.ts";
import type { DomainInfo } from "../domain/views/inspect.ts";
import type { Sample } from "../domain/views/sample.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { Message, Transport } from "../wire/transport.ts";
import { type Allowed, allowedOf, checkAllowed, mayAskOfAll } from "./allowed.ts";
import { Beats } from "./beats.ts";
import { type CallKind, DOMAIN_CALLS, HOST_CALLS, optionsIn } from "./calls.ts";
import { carry } from "./carried-error.ts";
import { bridge, type Bridge } from "./channel.ts";
import { PROTOCOL, writeFrame } from "./frame.ts";
import type { More } from "./more.ts";
import { type Outcomes, Recalled, type Work } from "./outcomes.ts";

type Run = Work["run"];

/** What the far end is given. */
export interface ServeOptions {
  readonly version: string;
  /** Which start of the host this is: after another one, what was kept may be gone. */
  readonly boot?: string | undefined;
  /** Where what became of each change is kept. */
  readonly outcomes: Outcomes;
  /** What the near end may ask; everything unless told. */
  readonly allowed?: Allowed | undefined;
  /** Aborted when this process is asked to end. */
  readonly signal?: AbortSignal;
  /** The part of this program that is sent when it is needed, where all of it is not here. */
  readonly more?: More | undefined;
}

/**
 * Answers the calls of one near end until it is gone, and says first who it is. When the near end is gone, what only waits or reads
 * is given up; a change that has begun goes on to its end. Resolves when nothing is under way any more.
 */
export async function serve(host: Facade, near: Transport, options: ServeOptions): Promise<void> {
  near.send(
    writeFrame({ qmpctl: "serve", protocol: PROTOCOL, version: options.version, allows: options.allowed ?? null, boot: options.boot }),
  );
  await new FarEnd(host, near, options).run();
}

/** A call that is under way. */
interface UnderWay {
  readonly interrupt: AbortController;
  /** Whether the machine is being changed: then it is not given up with the connection. */
  hasBegun: boolean;
  bridge?: Bridge;
}

class FarEnd {
  readonly #host: Facade;
  readonly #near: Transport;
  readonly #allowed: Allowed | undefined;
  readonly #calls = new Map<number, UnderWay>();
  readonly #working = new Set<Promise<void>>();
  readonly #signal: AbortSignal | undefined;
  readonly #outcomes: Outcomes;
  readonly #more: More | undefined;

  constructor(host: Facade, near: Transport, { allowed, signal, outcomes, more }: ServeOptions) {
    this.#outcomes = outcomes;
    this.#more = more;
    more?.askBy(() => this.#send({ need: "more" }));
    this.#host = host;
    this.#near = near;
    this.#allowed = allowed;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    using beats = new Beats(
      (frame) => this.#send(frame),
      () => void this.#near.close(),
    );
    const interrupted = (): void => {
      for (const { interrupt } of this.#calls.values()) interrupt.abort(this.#signal?.reason);
      void this.#near.close();
    };
    this.#signal?.addEventListener("abort", interrupted, { once: true });
    try {
      for await (const messages of this.#near) {
        beats.heard();
        for (const message of messages) this.#take(message);
      }
    } catch {
      // A connection that breaks is one that ends.
    }
    this.#letGo();
    await Promise.all(this.#working);
  }

  /** The near end is gone. */
  #letGo(): void {
    this.#more?.gone(new Error("the connection to the caller ended"));
    for (const { interrupt, hasBegun, bridge: open } of this.#calls.values()) {
      open?.close();
      if (!hasBegun) interrupt.abort(new Error("the connection to the caller ended"));
    }
  }

  #send(frame: object): void {
    this.#near.send(writeFrame(frame));
  }

  #take(message: Message): void {
    const { call, cancel, channel, more } = message;
    if (typeof more === "string") this.#more?.take(more);
    else if (typeof call === "number") {
      const work = this.#answer(call, message).finally(() => this.#working.delete(work));
      this.#working.add(work);
    } else if (typeof cancel === "number") this.#calls.get(cancel)?.interrupt.abort(new Error("interrupted"));
    else if (typeof channel === "number") this.#calls.get(channel)?.bridge?.take(message);
  }

  async #answer(call: number, message: Message): Promise<void> {
    const underWay: UnderWay = { interrupt: new AbortController(), hasBegun: false };
    this.#calls.set(call, underWay);
    let answer: object;
    try {
      answer = { result: call, value: (await this.#run(call, message, underWay)) ?? null };
    } catch (error) {
      answer = { error: call, failure: error instanceof Recalled ? error.carried : carry(error) };
    } finally {
      this.#calls.delete(call);
    }
    this.#reply(call, answer);
  }

  /** A reply that can't be written becomes one that says so: nobody is left waiting. */
  #reply(call: number, answer: object): void {
    try {
      this.#send(answer);
    } catch (error) {
      this.#send({ error: call, failure: { kind: "Error", message: `the answer can't be sent: ${messageOf(error)}` } });
    }
  }

  async #run(call: number, { what, domain, args, options, tells, key }: Message, underWay: UnderWay): Promise<unknown> {
    const name = typeof what === "string" ? what : "";
    const given = Array.isArray(args) ? (args as readonly unknown[]) : [];
    const known = typeof domain === "string" ? domain : undefined;
    if (name === "connect" && known !== undefined) {
      await checkAllowed(this.#allowed, { verb: "qmp", writes: true, domain: known });
      await using machine = await this.#host.open(known);
      return await this.#connect(call, machine, options, underWay);
    }
    if (name === "outcome") {
      const outcome = await this.#outcomes.look(String(given[0]), underWay.interrupt.signal);
      await checkAllowed(this.#allowed, { verb: "info", writes: false, domain: outcome.domain });
      return outcome;
    }
    const kind = this.#kindOf(name, known);
    // What has begun must be able to end when the near end is gone.
    if (kind.writes) await this.#more?.here();
    const all = { ...optionsIn(name, kind, options), ...this.#told(call, kind, tells), signal: underWay.interrupt.signal };
    if (known === undefined) {
      const about = name === "open" ? String(given[0]) : name === "define" || name === "takeOver" ? nameIn(options) : undefined;
      if (OF_ALL.has(name)) mayAskOfAll(this.#allowed);
      await checkAllowed(this.#allowed, { verb: kind.verb, writes: kind.writes, domain: about });
      const answer = await kind.run(this.#host as never, given, all as never);
      if (name === "sample") return ofAllowed(this.#allowed, answer as Sample);
      return name === "list" ? allowedOf(this.#allowed, answer as readonly DomainInfo[]) : answer;
    }
    await checkAllowed(this.#allowed, { verb: kind.verb, writes: kind.writes, domain: known, wanted: given[0] });
    await using machine = await this.#host.open(known);
    if (!kind.writes || typeof key !== "string") return await kind.run(machine as never, given, all as never);
    const request = { what: name, domain: known, args: given, options: options ?? {} };
    const run: Run = async (onBegun, onEnded) => {
      if (kind.begins) return kind.run(machine as never, given, { ...all, onBegun, onEnded } as never);
      // What changes no allocation has no moment of which one could say that it begins.
      await onBegun();
      return kind.run(machine as never, given, all as never);
    };
    return await this.#once({ key, domain: known, request, patience: patienceOf(options ?? {}) }, underWay, run);
  }

  /** Does what changes something once, for its key. */
  async #once(asked: Omit<Work, "signal" | "run">, underWay: UnderWay, run: Run): Promise<unknown> {
    const begins = async (begun: () => Promise<void>): Promise<void> => {
      await begun();
      underWay.hasBegun = true;
    };
    const { signal } = underWay.interrupt;
    return this.#outcomes.once({ ...asked, signal, run: (begun, keep) => run(() => begins(begun), keep) });
  }

  #kindOf(name: string, domain: string | undefined): CallKind {
    const calls: Readonly<Record<string, CallKind>> = domain === undefined ? HOST_CALLS : DOMAIN_CALLS;
    const kind = Object.hasOwn(calls, name) ? calls[name] : undefined;
    if (kind === undefined)
      throw new UsageError(`${name}: there is no such call`, { value: name, expected: Object.keys(calls).join(", ") });
    return kind;
  }

  /** The caller's functions that were named: each tells the near end what it is called with. */
  #told(call: number, kind: CallKind, tells: unknown): object {
    const wanted = Array.isArray(tells) ? tells.filter((each): each is string => kind.tells.includes(each as string)) : [];
    return Object.fromEntries(wanted.map((name) => [name, (...args: unknown[]) => this.#send({ tell: call, name, args })]));
  }

  async #connect(call: number, machine: Awaited<ReturnType<Facade["open"]>>, options: unknown, underWay: UnderWay): Promise<unknown> {
    const { signal } = underWay.interrupt;
    const opened = await bridge(machine, options, signal, (frame) => this.#send({ channel: call, ...frame }));
    underWay.bridge = opened;
    this.#send({ tell: call, name: "onOpen", args: [opened.address, opened.who] });
    await opened.ended;
    return null;
  }
}

/** Calls about all QEMUs of a host. */
const OF_ALL: ReadonlySet<string> = new Set(["running", "adopt"]);

/** The name that a definition is to have; empty if its source says it: that is nobody's to allow. */
function nameIn(options: unknown): string {
  return String((options as { readonly name?: unknown } | null | undefined)?.name ?? "");
}

/** What a call may take besides what it is given for the lock, the work and the undo: what it writes, and a machine that is busy. */
const GRACE = 30_000;
const TIMEOUT = 60_000;
const UNDO_TIMEOUT = 15_000;

/** When a call has to have ended, in milliseconds, by its options. */
function patienceOf({
  timeout = TIMEOUT,
  undoTimeout = UNDO_TIMEOUT,
}: {
  readonly timeout?: unknown;
  readonly undoTimeout?: unknown;
}): number {
  return 2 * Number(timeout) + Number(undoTimeout) + GRACE;
}

/** A look at the host, with the machines that a key may know of. */
function ofAllowed(allowed: Allowed | undefined, sample: Sample): Sample {
  return { ...sample, machines: allowedOf(allowed, sample.machines) };
}
