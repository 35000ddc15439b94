import { randomWord } from "../digest.ts";
import { UsageError } from "../errors.ts";
import { onAbort } from "../wire/abort.ts";
import { writeJson } from "../wire/json.ts";
import type { Message } from "../wire/transport.ts";
import { blame, CallSites } from "./call-site.ts";
import { finish, keyOf, requestLine, settle, whereabouts, type Call, type CallOptions, type LateReply, type SlowNotice } from "./call.ts";
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
 * too (R31). Before 7.0 it stops with the eighth already, when that one comes before the first is taken up.
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
  /** Not to be guessed, and not to be met again: an earlier client's replies can come to us (R28). */
  readonly #prefix = randomWord(3);
  readonly #calls = new Map<string, Call>();
  readonly #sites = new CallSites();
  readonly #deadlines = new Deadlines((now) => this.#expire(now));
  /** In-band calls that wait here; those already settled are passed over. */
  #queue: Call[] = [];
  #head = 0;
  #onWire = 0;
  #count = 0;
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
  start(verb: "execute" | "exec-oob", command: string, parameters: object | undefined, options: CallOptions, entry: Entry): Promise<unknown> {
    const id = this.#newId();
    let line: string;
    try {
      line = requestLine(verb, command, parameters, id);
    } catch (mistake) {
      return Promise.reject(mistake as Error);
    }
    return this.#begin(command, id, line, verb === "execute", false, options, entry);
  }

  /** Sends a request as it is, with an id of ours where it has none; gives the whole reply, errors too. */
  startRaw(request: Message, options: CallOptions, entry: Entry): Promise<unknown> {
    const whole = "id" in request ? request : { ...request, id: this.#newId() };
    const command = String(request["execute"] ?? request["exec-oob"] ?? "raw request");
    try {
      const line = `${writeJson(whole, command)}\n`;
      const key = keyOf(whole["id"]);
      if (!this.#calls.has(key)) return this.#begin(command, key, line, !("exec-oob" in request), true, options, entry);
      throw new UsageError(`${command}: another call has this id`, { value: whole["id"], expected: "an id of its own" });
    } catch (mistake) {
      return Promise.reject(mistake as Error);
    }
  }

  /** Tells that the peer is alive: it said something. */
  heard(): void {
    this.#heard++;
  }

  /** Takes a reply. One that nobody waits for is dropped (R27); an error without an id is the oldest call's (R21). */
  answer(reply: Message): void {
    const id = reply["id"];
    const call = id !== undefined ? this.#calls.get(keyOf(id)) : reply["error"] === undefined ? undefined : this.#oldest();
    if (call === undefined || !call.sent) return;
    this.#calls.delete(call.key);
    if (call.inBand) {
      this.#onWire--;
      this.#pump();
    }
    if (!call.settled) settle(call, reply);
    else tell(this.#hooks.onLate, { command: call.command, elapsed: performance.now() - call.start, reply });
  }

  /** Ends every call with an error of its own: the connection is gone. */
  fail(why: string, cause: unknown): void {
    this.#deadlines.stop();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#queue = [];
    for (const call of calls) {
      if (call.settled) continue;
      finish(call);
      call.reject(blame(new ClosedError(call.command, why, { sent: call.sent, cause }), call.site));
    }
  }

  #begin(command: string, key: string, line: string, inBand: boolean, raw: boolean, options: CallOptions, entry: Entry): Promise<unknown> {
    const { signal, timeout = timeoutOf(command, this.#hooks.timeouts) } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (!(timeout > 0)) return Promise.reject(new UsageError(`${command}: a timeout of ${timeout}`, { value: timeout, expected: "milliseconds above 0, or Infinity" }));
    return new Promise((resolve, reject) => {
      const start = performance.now();
      const site = this.#sites.take(start, entry);
      const { onSlow } = options;
      const call: Call = { key, command, line, inBand, raw, site, start, timeout, onSlow, resolve, reject, forget: undefined, sent: false, settled: false, heard: -1 };
      this.#calls.set(key, call);
      if (signal !== undefined) this.#heed(call, signal);
      this.#deadlines.arm(start + timeout / 2);
      if (inBand && this.#onWire >= this.#window) this.#queue.push(call);
      else this.#put(call);
    });
  }

  /** Used again when it is free: each byte of a request costs QEMU a system call, and nobody who waits can be mistaken. */
  #newId(): string {
    let turns = 36;
    while (turns < 2 * this.#calls.size) turns *= 36;
    for (;;) {
      const id = this.#prefix + (this.#count++ % turns).toString(36);
      if (!this.#calls.has(id)) return id;
    }
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
    this.#unsent += call.line;
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
    if (!call.sent) this.#calls.delete(call.key);
    call.reject(cause);
  }

  /** Speaks up for calls at half of their time, ends those whose time is up; tells when to look again. Timers of Node may be a millisecond early. */
  #expire(now: number): number {
    let next = Infinity;
    for (const call of this.#calls.values()) {
      if (call.settled) continue;
      const half = call.start + call.timeout / 2;
      const deadline = call.start + call.timeout;
      if (call.heard < 0 && half <= now + 1) this.#slow(call, now);
      if (deadline <= now + 1) this.#abandon(call, blame(new TimeoutError(call.command, call.timeout, whereabouts(call, this.#heard, this.#oob)), call.site));
      else next = Math.min(next, call.heard < 0 ? half : deadline);
    }
    return next;
  }

  #slow(call: Call, now: number): void {
    call.heard = this.#heard;
    const notice: SlowNotice = { command: call.command, elapsed: now - call.start, timeout: call.timeout, where: call.sent ? "unanswered" : "queued" };
    tell(call.onSlow, notice);
    tell(this.#hooks.onSlow, notice);
    if (call.sent) this.#probe();
  }

  /** Any command out of band is answered at once, be it with an error, unless the monitor itself hangs (R33). */
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
