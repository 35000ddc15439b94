import { now } from "../deadline.ts";
import { UsageError } from "../errors.ts";
import { onAbort } from "../wire/abort.ts";
import { writeJson } from "../wire/json.ts";
import type { Message } from "../wire/transport.ts";
import { type CallHooks, tell } from "./call-hooks.ts";
import { CallIds } from "./call-ids.ts";
import { CallQueue } from "./call-queue.ts";
import { blame, CallSites } from "./call-site.ts";
import {
  type Call,
  type CallKey,
  type CallOptions,
  finish,
  keyOf,
  newCall,
  rawText,
  type Request,
  requestText,
  settle,
  type SlowNotice,
  whereabouts,
} from "./call.ts";
import { Deadlines } from "./deadlines.ts";
import { ClosedError, TimeoutError } from "./errors.ts";
import { Outbox } from "./outbox.ts";
import { timeoutOf } from "./timeouts.ts";

/** The function that the caller called: the stack of an error begins above it. */
type Entry = (...parameters: never[]) => unknown;

/** The calls of a connection, sent or waiting to be sent. It gives them ids, order and deadlines, and settles each of them exactly once. */
export class PendingCalls {
  readonly #oob: boolean;
  readonly #window: number;
  readonly #hooks: CallHooks;
  readonly #ids = new CallIds();
  readonly #outbox: Outbox;
  /** Calls that have an id: those that were sent, in that order, and raw ones that brought their own. */
  readonly #calls = new Map<CallKey, Call>();
  readonly #sites = new CallSites();
  readonly #deadlines = new Deadlines((time) => this.#expire(time));
  /** In-band calls that wait here. They get their id when they are sent. */
  readonly #queue = new CallQueue();
  /** In-band calls that were sent and are not answered. */
  #onWire = 0;
  /** The length of the longest key among those that callers brought along. */
  #longest = 0;
  /** How often the peer has said something. */
  #heard = 0;
  #probing = false;

  constructor(send: (text: string) => void, peer: { readonly oob: boolean; readonly window: number }, hooks: CallHooks) {
    this.#outbox = new Outbox(send);
    this.#oob = peer.oob;
    this.#window = peer.window;
    this.#hooks = hooks;
  }

  /** Sends a command, or queues it when QEMU has as many as it may have. `entry` is the function that the caller called. */
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
    return this.#begin({ key: undefined, command, text, inBand: verb === "execute", raw: false }, options, entry);
  }

  /** Sends a request as it is, with an id of ours if it has none. Resolves with the whole reply, errors too. */
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
    return this.#begin({ key, command, text, inBand, raw: true }, options, entry);
  }

  /** The peer said something, so it is alive. */
  heard(): void {
    this.#heard++;
  }

  /** Takes a reply. A reply to no known call is dropped. An error without an id belongs to the oldest call. */
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
    else tell(this.#hooks.onLate, { command: call.command, elapsed: now() - call.start, reply });
  }

  #called(id: unknown): Call | undefined {
    const key = keyOf(id, this.#longest);
    return key === undefined ? undefined : this.#calls.get(key);
  }

  /** Ends every call with an error of its own, because the connection is gone. */
  fail(why: string, cause: unknown): void {
    this.#deadlines.stop();
    const calls = [...this.#all()];
    this.#calls.clear();
    this.#queue.clear();
    for (const call of calls) {
      if (call.settled) continue;
      finish(call);
      call.reject(blame(new ClosedError(call.command, why, { sent: call.sent, cause }), call.site));
    }
  }

  #begin(request: Request, options: CallOptions, entry: Entry): Promise<unknown> {
    const { key, command, inBand } = request;
    const { signal, timeout = timeoutOf(command, this.#hooks.timeouts), onSlow } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (!(timeout > 0))
      return Promise.reject(
        new UsageError(`${command}: a timeout of ${timeout}`, { value: timeout, expected: "milliseconds above 0, or Infinity" }),
      );
    return new Promise((resolve, reject) => {
      const start = now();
      const site = this.#sites.take(start, entry);
      const call = newCall(request, { site, start, timeout, onSlow }, resolve, reject);
      if (key !== undefined) this.#calls.set(key, call);
      if (signal !== undefined) this.#heed(call, signal);
      this.#deadlines.arm(start + timeout / 2);
      if (inBand && this.#onWire >= this.#window) this.#queue.push(call);
      else this.#put(call);
    });
  }

  /** Every call that is not answered. One may come twice. */
  *#all(): Iterable<Call> {
    yield* this.#calls.values();
    yield* this.#queue;
  }

  #oldest(): Call | undefined {
    for (const call of this.#calls.values()) if (call.inBand && call.sent) return call;
    return undefined;
  }

  /** Sends what waits, as far as QEMU's window allows. */
  #pump(): void {
    while (this.#onWire < this.#window) {
      const call = this.#queue.shift();
      if (call === undefined) return;
      this.#put(call);
    }
  }

  #put(call: Call): void {
    call.sent = true;
    if (call.inBand) this.#onWire++;
    if (call.key === undefined) {
      call.key = this.#ids.next(this.#calls);
      // QEMU needs no newline, but other peers read by lines (R14).
      this.#outbox.put(`${call.text}${call.key}}\n`);
    } else {
      this.#outbox.put(call.text);
      // The map is in the order of sending, so a call whose id was known before is moved to the end.
      this.#calls.delete(call.key);
    }
    this.#calls.set(call.key, call);
  }

  #heed(call: Call, signal: AbortSignal): void {
    call.forget = onAbort(signal, () => this.#abandon(call, signal.reason));
  }

  /** Settles a call with an error. If it was sent, it keeps its place in the window until QEMU answers it. */
  #abandon(call: Call, cause: unknown): void {
    if (call.settled) return;
    finish(call);
    if (!call.sent && call.key !== undefined) this.#calls.delete(call.key);
    call.reject(cause);
  }

  /**
   * Reports the calls at half of their time, ends those whose time is up, and returns when to look again. Node's timers may ring a
   * millisecond early.
   */
  #expire(time: number): number {
    let next = Infinity;
    for (const call of this.#all()) {
      if (call.settled) continue;
      const half = call.start + call.timeout / 2;
      const deadline = call.start + call.timeout;
      if (call.heard < 0 && half <= time + 1) this.#slow(call, time);
      if (deadline <= time + 1)
        this.#abandon(call, blame(new TimeoutError(call.command, call.timeout, whereabouts(call, this.#heard, this.#oob)), call.site));
      else next = Math.min(next, call.heard < 0 ? half : deadline);
    }
    return next;
  }

  #slow(call: Call, time: number): void {
    call.heard = this.#heard;
    const notice: SlowNotice = {
      command: call.command,
      elapsed: time - call.start,
      timeout: call.timeout,
      where: call.sent ? "unanswered" : "queued",
    };
    tell(call.onSlow, notice);
    tell(this.#hooks.onSlow, notice);
    if (call.sent) this.#probe();
  }

  /** Asks whether the monitor is alive: it answers any out-of-band command at once, perhaps with an error, unless it hangs. */
  #probe(): void {
    if (!this.#oob || this.#probing) return;
    this.#probing = true;
    const over = (): void => void (this.#probing = false);
    this.start("exec-oob", "query-version", undefined, { timeout: Infinity }, this.start).then(over, over);
  }
}
