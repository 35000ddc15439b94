import { UsageError } from "../errors.ts";
import { onAbort } from "../wire/abort.ts";
import { writeJson } from "../wire/json.ts";
import type { Message } from "../wire/transport.ts";
import { blame, CallSites } from "./call-site.ts";
import {
  type Call,
  type CallKey,
  type CallOptions,
  finish,
  keyOf,
  type LateReply,
  rawText,
  requestText,
  settle,
  type SlowNotice,
  whereabouts,
} from "./call.ts";
import { Deadlines } from "./deadlines.ts";
import { ClosedError, TimeoutError } from "./errors.ts";
import { timeoutOf, type Timeouts } from "./timeouts.ts";

/** What a session may be told to do besides. Hooks run by themselves: what they throw is nobody's but their author's. */
export interface CallHooks {
  /** Deadlines by command, in place of the built-in ones. */
  readonly timeouts?: Timeouts | undefined;
  /** A call is at half of its timeout without an answer. */
  readonly onSlow?: ((notice: SlowNotice) => void) | undefined;
  /** A reply came after its call was given up. */
  readonly onLate?: ((late: LateReply) => void) | undefined;
}

/**
 * In-band commands that a QEMU of this major version may have before it: with one more it would stop reading, out-of-band commands
 * too. Before 7.0 it stops with the eighth already, when that one comes before the first is taken up.
 */
export function windowOf(major: number): number {
  return major < 7 ? 7 : 8;
}

/** A microtask by way of a promise costs a quarter of one by `queueMicrotask`, which keeps the context of its caller. */
const SOON = Promise.resolve();

/** Frames above it are the caller's. */
type Entry = (...parameters: never[]) => unknown;

/** Calls in flight and calls that wait their turn: ids, order, deadlines, and for each exactly one outcome. */
export class PendingCalls {
  readonly #send: (text: string) => void;
  readonly #oob: boolean;
  readonly #window: number;
  readonly #hooks: CallHooks;
  /**
   * The first two digits of our ids, for whoever reads along. What an earlier client's commands are answered comes before the reply
   * to qmp_capabilities, as QEMU answers in order, and that one has a long random id: so these need not be long.
   */
  readonly #prefix = 10 + Math.floor(Math.random() * 90);
  /** Calls that have an id: those that were sent, in that order, and raw ones that brought theirs. */
  readonly #calls = new Map<CallKey, Call>();
  readonly #sites = new CallSites();
  readonly #deadlines = new Deadlines((now) => this.#expire(now));
  /** In-band calls that wait here; those already settled are passed over. They get their id when they are sent. */
  #queue: Call[] = [];
  #head = 0;
  #onWire = 0;
  #count = 0;
  /** The length of the longest key among those that callers brought along. */
  #longest = 0;
  #unsent = "";
  #heard = 0;
  #probing = false;

  constructor(send: (text: string) => void, peer: { readonly oob: boolean; readonly window: number }, hooks: CallHooks) {
    this.#send = send;
    this.#oob = peer.oob;
    this.#window = peer.window;
    this.#hooks = hooks;
  }

  /** Sends a command, or queues it behind those that QEMU has before it. `entry` is the function that the caller called. */
  start(
    verb: "execute" | "exec-oob",
    command: string,
    parameters: object | undefined,
    options: CallOptions,
    entry: Entry,
  ): Promise<unknown> {
    let text: string;
    try {
      text = requestText(verb, command, parameters);
    } catch (mistake) {
      return Promise.reject(mistake as Error);
    }
    return this.#begin(command, undefined, text, verb === "execute", false, options, entry);
  }

  /** Sends a request as it is, with an id of ours where it has none; gives the whole reply, errors too. */
  startRaw(request: Message, options: CallOptions, entry: Entry): Promise<unknown> {
    const command = String(request["execute"] ?? request["exec-oob"] ?? "raw request");
    const inBand = !("exec-oob" in request);
    let [text, key]: [string, CallKey | undefined] = ["", undefined];
    try {
      if ("id" in request) [text, key] = [`${writeJson(request, command)}\n`, keyOf(request["id"], Infinity)];
      else text = rawText(request, command);
      if (typeof key === "string") this.#longest = Math.max(this.#longest, key.length);
      if (key !== undefined && this.#calls.has(key))
        throw new UsageError(`${command}: another call has this id`, { value: request["id"], expected: "an id of its own" });
    } catch (mistake) {
      return Promise.reject(mistake as Error);
    }
    return this.#begin(command, key, text, inBand, true, options, entry);
  }

  /** Tells that the peer is alive: it said something. */
  heard(): void {
    this.#heard++;
  }

  /** Takes a reply. One that nobody waits for is dropped; an error without an id is the oldest call's. */
  answer(reply: Message): void {
    const id = reply["id"];
    const call = id !== undefined ? this.#called(id) : reply["error"] === undefined ? undefined : this.#oldest();
    if (call === undefined || !call.sent) return;
    this.#calls.delete(call.key as CallKey);
    if (call.inBand) {
      this.#onWire--;
      this.#pump();
    }
    if (!call.settled) settle(call, reply);
    else tell(this.#hooks.onLate, { command: call.command, elapsed: performance.now() - call.start, reply });
  }

  #called(id: unknown): Call | undefined {
    const key = keyOf(id, this.#longest);
    return key === undefined ? undefined : this.#calls.get(key);
  }

  /** Ends every call with an error of its own: the connection is gone. */
  fail(why: string, cause: unknown): void {
    this.#deadlines.stop();
    const calls = [...this.#all()];
    this.#calls.clear();
    this.#queue = [];
    for (const call of calls) {
      if (call.settled) continue;
      finish(call);
      call.reject(blame(new ClosedError(call.command, why, { sent: call.sent, cause }), call.site));
    }
  }

  #begin(
    command: string,
    key: CallKey | undefined,
    text: string,
    inBand: boolean,
    raw: boolean,
    options: CallOptions,
    entry: Entry,
  ): Promise<unknown> {
    const { signal, timeout = timeoutOf(command, this.#hooks.timeouts) } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (!(timeout > 0))
      return Promise.reject(
        new UsageError(`${command}: a timeout of ${timeout}`, { value: timeout, expected: "milliseconds above 0, or Infinity" }),
      );
    return new Promise((resolve, reject) => {
      const start = performance.now();
      const site = this.#sites.take(start, entry);
      const { onSlow } = options;
      const call: Call = {
        key,
        command,
        text,
        inBand,
        raw,
        site,
        start,
        timeout,
        onSlow,
        resolve,
        reject,
        forget: undefined,
        sent: false,
        settled: false,
        heard: -1,
      };
      if (key !== undefined) this.#calls.set(key, call);
      if (signal !== undefined) this.#heed(call, signal);
      this.#deadlines.arm(start + timeout / 2);
      if (inBand && this.#onWire >= this.#window) this.#queue.push(call);
      else this.#put(call);
    });
  }

  /** Three digits while there are ten: each byte of a request costs QEMU a system call. Used again when it is free, in turn. */
  #newId(): number {
    let turns = 10;
    while (turns <= this.#calls.size) turns *= 10;
    for (;;) {
      const id = this.#prefix * turns + (this.#count++ % turns);
      if (!this.#calls.has(id)) return id;
    }
  }

  /** Each call that is not answered, at least once. */
  *#all(): Iterable<Call> {
    yield* this.#calls.values();
    for (let at = this.#head; at < this.#queue.length; at++) yield this.#queue[at] as Call;
  }

  #oldest(): Call | undefined {
    for (const call of this.#calls.values()) if (call.inBand && call.sent) return call;
    return undefined;
  }

  #pump(): void {
    while (this.#onWire < this.#window && this.#head < this.#queue.length) {
      const call = this.#queue[this.#head++] as Call;
      if (!call.settled) this.#put(call);
    }
    if (this.#head === this.#queue.length && this.#head > 0) {
      this.#queue = [];
      this.#head = 0;
    }
  }

  /** All that one turn of the event loop sends goes out in one write. */
  #put(call: Call): void {
    call.sent = true;
    if (call.inBand) this.#onWire++;
    if (this.#unsent === "") void SOON.then(this.#flush);
    // A newline is not QEMU's wish, but others read lines (R14).
    if (call.key === undefined) this.#unsent += `${call.text}${(call.key = this.#newId())}}\n`;
    else {
      this.#unsent += call.text;
      // Now it is the last of those that were sent, though its id was known before.
      this.#calls.delete(call.key);
    }
    this.#calls.set(call.key, call);
  }

  readonly #flush = (): void => {
    if (this.#unsent === "") return;
    const text = this.#unsent;
    this.#unsent = "";
    this.#send(text);
  };

  #heed(call: Call, signal: AbortSignal): void {
    call.forget = onAbort(signal, () => this.#abandon(call, signal.reason));
  }

  /** Gives the call up. One that was sent keeps its place on the wire until QEMU answers it, whoever reads the answer. */
  #abandon(call: Call, cause: unknown): void {
    if (call.settled) return;
    finish(call);
    if (!call.sent && call.key !== undefined) this.#calls.delete(call.key);
    call.reject(cause);
  }

  /**
   * Speaks up for calls at half of their time, ends those whose time is up; tells when to look again. Timers of Node may be a millisecond
   * early.
   */
  #expire(now: number): number {
    let next = Infinity;
    for (const call of this.#all()) {
      if (call.settled) continue;
      const half = call.start + call.timeout / 2;
      const deadline = call.start + call.timeout;
      if (call.heard < 0 && half <= now + 1) this.#slow(call, now);
      if (deadline <= now + 1)
        this.#abandon(call, blame(new TimeoutError(call.command, call.timeout, whereabouts(call, this.#heard, this.#oob)), call.site));
      else next = Math.min(next, call.heard < 0 ? half : deadline);
    }
    return next;
  }

  #slow(call: Call, now: number): void {
    call.heard = this.#heard;
    const notice: SlowNotice = {
      command: call.command,
      elapsed: now - call.start,
      timeout: call.timeout,
      where: call.sent ? "unanswered" : "queued",
    };
    tell(call.onSlow, notice);
    tell(this.#hooks.onSlow, notice);
    if (call.sent) this.#probe();
  }

  /** Any command out of band is answered at once, be it with an error, unless the monitor itself hangs. */
  #probe(): void {
    if (!this.#oob || this.#probing) return;
    this.#probing = true;
    const over = (): void => void (this.#probing = false);
    this.start("exec-oob", "query-version", undefined, { timeout: Infinity }, this.start).then(over, over);
  }
}

function tell<T>(hook: ((what: T) => void) | undefined, what: T): void {
  if (hook !== undefined) queueMicrotask(() => hook(what));
}
