import { replyCheck } from "../schema/commands.ts";
import { ProtocolError } from "../wire/errors.ts";
import { showJson, writeJson } from "../wire/json.ts";
import { FAULT, type Message } from "../wire/transport.ts";
import { blame, type CallSite } from "./call-site.ts";
import { CommandError, type Whereabouts } from "./errors.ts";

/**
 * What every call takes. `timeout` is in milliseconds, Infinity for none. The reply, the deadline or the signal ends the call, whichever
 * comes first.
 */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
  /** Called once, at half of the timeout, if there is no answer yet. */
  readonly onSlow?: ((notice: SlowNotice) => void) | undefined;
}

/** A call that has had no answer at half of its timeout. Times in milliseconds. */
export interface SlowNotice {
  readonly command: string;
  readonly elapsed: number;
  readonly timeout: number;
  readonly where: "queued" | "unanswered";
}

/** A reply that came after its call was given up: the command did run. */
export interface LateReply {
  readonly command: string;
  /** Milliseconds since the call. */
  readonly elapsed: number;
  readonly reply: Message;
}

/** The id of a call: our own ids are numbers, those of callers may be any JSON value, written as a string. */
export type CallKey = number | string;

/** One call, from the moment it is made until QEMU has answered it, even if its caller has given up long before. */
export interface Call {
  /** The id by which its reply is found; undefined until it has one. */
  key: CallKey | undefined;
  readonly command: string;
  /** The request up to the value of its id. For a request that brought its own id: the whole line. */
  readonly text: string;
  readonly inBand: boolean;
  /** Whether the caller gets the whole reply, errors too, unchecked. */
  readonly raw: boolean;
  readonly site: CallSite | undefined;
  readonly start: number;
  readonly timeout: number;
  readonly onSlow: ((notice: SlowNotice) => void) | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (cause: unknown) => void;
  /** Stops listening to the caller's signal. */
  forget: (() => void) | undefined;
  sent: boolean;
  settled: boolean;
  /** How often the peer had said something when the call was found to be slow; -1 before that. */
  heard: number;
}

/** The part of a call that describes its request. */
export type Request = Pick<Call, "key" | "command" | "text" | "inBand" | "raw">;

/**
 * A call that is not sent yet. Each member is written out: with spread objects, V8 makes the calls of a connection ten times slower
 * (20,000 a second in place of 200,000).
 */
export function newCall(
  request: Request,
  { site, start, timeout, onSlow }: Pick<Call, "site" | "start" | "timeout" | "onSlow">,
  resolve: (value: unknown) => void,
  reject: (cause: unknown) => void,
): Call {
  return {
    key: request.key,
    command: request.command,
    text: request.text,
    inBand: request.inBand,
    raw: request.raw,
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
}

/**
 * A request up to the value of its id, as short as JSON allows, because QEMU reads it one byte at a time.
 *
 * @throws UsageError when the arguments can't be written as JSON for QEMU
 */
export function requestText(verb: "execute" | "exec-oob", command: string, parameters: object | undefined): string {
  // QEMU's own names need no escapes, and this test is quicker than JSON.stringify.
  const what = PLAIN.test(command) ? `{"${verb}":"${command}"` : `{"${verb}":${JSON.stringify(command)}`;
  if (parameters === undefined) return `${what},"id":`;
  const text = writeJson(parameters, command, ARGUMENT_LEVELS);
  return text === "{}" ? `${what},"id":` : `${what},"arguments":${text},"id":`;
}

/**
 * A request as the caller wrote it, up to the value of the id that it lacks.
 *
 * @throws UsageError when it can't be written as JSON for QEMU
 */
export function rawText(request: Message, command: string): string {
  const text = writeJson(request, command).slice(0, -1);
  return text === "{" ? `{"id":` : `${text},"id":`;
}

const PLAIN = /^[\w.-]+$/;

/** One level less than QEMU reads, because the request itself is one. */
const ARGUMENT_LEVELS = 1023;

/**
 * The key by which a reply finds its call. QEMU returns an object's members in another order, and a long integer as a bigint, so the key
 * does not depend on either. Undefined for an id longer than `longest`: no call has it, and a peer that makes up ids must not keep us busy.
 */
export function keyOf(id: unknown, longest: number): CallKey | undefined {
  if (typeof id === "number" && Number.isSafeInteger(id)) return id;
  if (longest === 0) return undefined;
  const key: Key = { parts: [], left: longest };
  write(id, key);
  return key.left < 0 ? undefined : key.parts.join("");
}

/** A key that is being written, and how much longer it may become. */
interface Key {
  readonly parts: string[];
  left: number;
}

function write(id: unknown, key: Key): void {
  if (typeof id === "string" && id.length > key.left) key.left = -1;
  else if (typeof id !== "object" || id === null)
    add(key, typeof id === "number" || typeof id === "bigint" ? String(id) : String(JSON.stringify(id)));
  else if (Array.isArray(id)) {
    add(key, "[");
    for (let at = 0; at < id.length && key.left >= 0; at++) {
      write(id[at], key);
      add(key, ",");
    }
    add(key, "]");
  } else {
    const members = id as Readonly<Record<string, unknown>>;
    const names = Object.keys(id);
    // Each member takes at least four characters. Sorting is what takes long, so the number is checked before.
    if (names.length > key.left) return void (key.left = -1);
    add(key, "{");
    for (const name of names.filter((name) => members[name] !== undefined).sort()) {
      write(name, key);
      if (key.left < 0) return;
      add(key, ":");
      write(members[name], key);
    }
    add(key, "}");
  }
}

function add(key: Key, part: string): void {
  key.parts.push(part);
  key.left -= part.length;
}

/** Marks a call as settled, and stops listening to the caller's signal. */
export function finish(call: Call): void {
  call.settled = true;
  call.forget?.();
}

/** Settles a call with its reply. */
export function settle(call: Call, reply: Message): void {
  finish(call);
  const fault = reply[FAULT];
  if (fault !== undefined)
    call.reject(blame(new ProtocolError(call.command, "a reply that can't be read", { excerpt: fault.excerpt, cause: fault }), call.site));
  else if (call.raw) call.resolve(reply);
  else if (reply["error"] !== undefined) call.reject(blame(toError(call, reply["error"]), call.site));
  else check(call, reply["return"]);
}

function check(call: Call, value: unknown): void {
  const wrong = replyCheck(call.command)?.(value);
  if (wrong === undefined) call.resolve(value);
  else call.reject(blame(unexpected(call, wrong.why, value, wrong.cause), call.site));
}

function toError(call: Call, error: unknown): CommandError | ProtocolError {
  const { class: kind, desc } = error as { readonly class?: unknown; readonly desc?: unknown };
  if (typeof kind === "string" && typeof desc === "string") return new CommandError(call.command, { class: kind, desc });
  return unexpected(call, "an error without class and desc", error, undefined);
}

function unexpected(call: Call, why: string, value: unknown, cause: unknown): ProtocolError {
  return new ProtocolError(call.command, `a reply that is not as QEMU documents it: ${why}`, { excerpt: showJson(value), cause });
}

/**
 * Where a call is when its time is up. `heard` counts what came from the peer; `probed` tells whether the monitor was asked out of band.
 */
export function whereabouts(call: Call, heard: number, probed: boolean): Whereabouts {
  if (!call.sent) return "queued";
  if (call.heard >= 0 && heard > call.heard) return "busy";
  return probed && call.heard >= 0 ? "wedged" : "unanswered";
}
