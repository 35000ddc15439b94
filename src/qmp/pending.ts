import { randomBytes } from "node:crypto";
import { UsageError } from "../errors.ts";
import { replyCheck } from "../schema/commands.ts";
import { explain, type Check } from "../schema/message.ts";
import { excerptOf, ProtocolError } from "../wire/errors.ts";
import { writeJson } from "../wire/json.ts";
import type { Message } from "../wire/transport.ts";
import { blame, CallSites, type CallSite } from "./call-site.ts";
import { Deadlines } from "./deadlines.ts";
import { ClosedError, CommandError, TimeoutError } from "./errors.ts";

/** What any call takes. `timeout` in milliseconds, Infinity for none; whichever comes first settles the call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
}

/** In-band commands that QEMU may have before it: with one more it would stop reading, out-of-band commands too (R31). */
const WINDOW = 8;
const DEFAULT_TIMEOUT = 30_000;

interface Call {
  readonly id: string;
  readonly command: string;
  readonly line: string;
  readonly inBand: boolean;
  readonly check: Check<unknown> | undefined;
  readonly site: CallSite | undefined;
  readonly timeout: number;
  readonly deadline: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (cause: unknown) => void;
  /** Stops listening to the caller's signal. */
  forget: (() => void) | undefined;
  sent: boolean;
  settled: boolean;
}

/** Calls in flight and calls that wait their turn: ids, order, deadlines, and for each exactly one outcome. */
export class PendingCalls {
  readonly #send: (text: string) => void;
  /** Not to be guessed, and not to be met again: an earlier client's replies can come to us (R28). */
  readonly #prefix = randomBytes(3).toString("base64url").slice(0, 3);
  readonly #calls = new Map<string, Call>();
  readonly #sites = new CallSites();
  readonly #deadlines = new Deadlines((now) => this.#expire(now));
  /** In-band calls that wait here; those already settled are passed over. */
  #queue: Call[] = [];
  #head = 0;
  #onWire = 0;
  #count = 0;
  #unsent = "";

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  /** Sends a command, or queues it behind the eight before it. `caller` is the function to leave out of the stack. */
  start(verb: "execute" | "exec-oob", command: string, parameters: object | undefined, options: CallOptions, caller: (...parameters: never[]) => unknown): Promise<unknown> {
    const { signal, timeout = DEFAULT_TIMEOUT } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (!(timeout > 0)) return Promise.reject(new UsageError(`${command}: a timeout of ${timeout}`, { value: timeout, expected: "milliseconds above 0, or Infinity" }));
    const id = this.#prefix + (this.#count++).toString(36);
    let line: string;
    try {
      line = request(verb, command, parameters, id);
    } catch (mistake) {
      return Promise.reject(mistake as Error);
    }
    return new Promise((resolve, reject) => {
      const now = performance.now();
      const call: Call = {
        id,
        command,
        line,
        inBand: verb === "execute",
        check: replyCheck(command),
        site: this.#sites.take(now, caller),
        timeout,
        deadline: now + timeout,
        resolve,
        reject,
        forget: undefined,
        sent: false,
        settled: false,
      };
      this.#calls.set(id, call);
      if (signal !== undefined) this.#heed(call, signal);
      if (timeout !== Infinity) this.#deadlines.arm(call.deadline);
      if (call.inBand && this.#onWire >= WINDOW) this.#queue.push(call);
      else this.#put(call);
    });
  }

  /** Takes a reply. One that nobody waits for is dropped (R27); one without an id is an error in the oldest call's text (R21). */
  answer(reply: Message): void {
    const id = reply["id"];
    const call = id === undefined ? this.#oldest() : typeof id === "string" ? this.#calls.get(id) : undefined;
    if (call === undefined) return;
    this.#calls.delete(call.id);
    if (call.inBand) {
      this.#onWire--;
      this.#pump();
    }
    if (!call.settled) settle(call, reply);
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

  #oldest(): Call | undefined {
    for (const call of this.#calls.values()) if (call.inBand && call.sent) return call;
    return undefined;
  }

  #pump(): void {
    while (this.#onWire < WINDOW && this.#head < this.#queue.length) {
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
    if (this.#unsent === "") queueMicrotask(() => this.#flush());
    this.#unsent += call.line;
  }

  #flush(): void {
    const text = this.#unsent;
    this.#unsent = "";
    this.#send(text);
  }

  #heed(call: Call, signal: AbortSignal): void {
    const abort = (): void => this.#abandon(call, signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    call.forget = () => signal.removeEventListener("abort", abort);
  }

  /** Gives the call up. One that was sent keeps its place on the wire until QEMU answers it, whoever reads the answer. */
  #abandon(call: Call, cause: unknown): void {
    if (call.settled) return;
    finish(call);
    if (!call.sent) this.#calls.delete(call.id);
    call.reject(cause);
  }

  #expire(now: number): number {
    let next = Infinity;
    for (const call of this.#calls.values()) {
      if (call.settled) continue;
      // Timers of Node may go off a millisecond early.
      if (call.deadline > now + 1) next = Math.min(next, call.deadline);
      else this.#abandon(call, blame(new TimeoutError(call.command, call.timeout, call.sent ? "unanswered" : "queued"), call.site));
    }
    return next;
  }
}

/** As short as JSON allows: QEMU reads a request one byte at a time. The newline is for peers that read lines (R14). */
function request(verb: string, command: string, parameters: object | undefined, id: string): string {
  const text = parameters === undefined ? "{}" : writeJson(parameters, command);
  const what = `{"${verb}":${JSON.stringify(command)}`;
  return text === "{}" ? `${what},"id":"${id}"}\n` : `${what},"arguments":${text},"id":"${id}"}\n`;
}

function finish(call: Call): void {
  call.settled = true;
  call.forget?.();
}

function settle(call: Call, reply: Message): void {
  finish(call);
  const error = reply["error"];
  if (error !== undefined) {
    call.reject(blame(toError(call, error), call.site));
    return;
  }
  const value = reply["return"];
  const check = call.check?.safeParse(value);
  if (check === undefined || check.success) call.resolve(value);
  else call.reject(blame(unexpected(call, explain(check.error), value, check.error), call.site));
}

function toError(call: Call, error: unknown): CommandError | ProtocolError {
  const { class: kind, desc } = error as { readonly class?: unknown; readonly desc?: unknown };
  if (typeof kind === "string" && typeof desc === "string") return new CommandError(call.command, { class: kind, desc });
  return unexpected(call, "an error without class and desc", error, undefined);
}

function unexpected(call: Call, why: string, value: unknown, cause: unknown): ProtocolError {
  return new ProtocolError(call.command, `a reply that is not as QEMU documents it: ${why}`, { excerpt: excerptOf(writeJson(value ?? null, call.command)), cause });
}
