import { fromPlain, isObject, type Json, type JsonObject } from "../json/json-value.ts";

/** A request with the right shape. */
export interface Request {
  readonly command: string;
  readonly oob: boolean;
  readonly arguments: JsonObject;
  readonly id: Json | undefined;
}

/** A request as a client made it. */
export interface Said {
  readonly monitor: string;
  readonly command: string;
  /** As `JSON.parse` returns them. */
  readonly arguments: unknown;
}

/** An answer that is an error, with QEMU's class and words. */
export interface Refusal {
  readonly class: string;
  readonly desc: string;
  readonly id: Json | undefined;
}

/** Whether a message asks to be executed out of band. */
export function asksOutOfBand(value: Json): boolean {
  return isObject(value) && value.has("exec-oob") && !value.has("execute");
}

/**
 * A parsed message as a request, or QEMU's reason to refuse it. `oob`: whether out-of-band was negotiated on this connection. Source:
 * measured on 7.2.
 */
export function toRequest(value: Json, oob: boolean): Request | Refusal {
  if (!isObject(value)) return generic("QMP input must be a JSON object", undefined);
  const id = value.get("id");
  const words = oob ? ["execute", "exec-oob"] : ["execute"];
  for (const [member, content] of value) {
    if (words.includes(member)) {
      if (typeof content !== "string") return generic(`QMP input member '${member}' must be a string`, id);
    } else if (member === "arguments") {
      if (!isObject(content)) return generic("QMP input member 'arguments' must be an object", id);
    } else if (member !== "id") return generic(`QMP input member '${member}' is unexpected`, id);
  }
  const command = words.map((word) => value.get(word)).filter((it) => typeof it === "string");
  if (command.length > 1) return generic("QMP input member 'execute' clashes with 'exec-oob'", id);
  if (command[0] === undefined) return generic("QMP input lacks member 'execute'", id);
  const args = value.get("arguments");
  return { command: command[0], oob: value.has("exec-oob"), arguments: isObject(args) ? args : new Map(), id };
}

/** An error of the class that most errors have. */
export function generic(desc: string, id: Json | undefined): Refusal {
  return { class: "GenericError", desc, id };
}

/** An error reply, with its members in QEMU's order: id before error. */
export function refusalReply(refusal: Refusal): Json {
  const error = fromPlain({ class: refusal.class, desc: refusal.desc });
  return new Map<string, Json>([...(refusal.id === undefined ? [] : [["id", refusal.id] as const]), ["error", error]]);
}

/** A success reply, with its members in QEMU's order: return before id. */
export function successReply(value: Json, id: Json | undefined): Json {
  return new Map<string, Json>([["return", value], ...(id === undefined ? [] : [["id", id] as const])]);
}

/**
 * QEMU's answer to qmp_capabilities on a connection that still negotiates: what is enabled, or why it is refused. Source: measured on 5.2
 * to 11.1.
 */
export function negotiate(request: Request, major: number, offered: readonly string[]): readonly string[] | Refusal {
  const mistake = wrongCapabilities(request, major);
  if (mistake !== undefined) return mistake;
  const enable = (request.arguments.get("enable") ?? []) as readonly string[];
  const missing = enable.find((name) => !offered.includes(name));
  return missing === undefined ? enable : generic(`Capability ${missing} not available`, request.id);
}

/** What QEMU says about a value that an enumeration does not have. Here it calls an item of a list `null`. */
export function noSuchValue(name: string, value: string, major: number): string {
  return major < 6 ? `Invalid parameter '${value}'` : `Parameter '${name}' does not accept value '${value}'`;
}

/** What is wrong with the arguments of qmp_capabilities, before or after negotiation; undefined if nothing. */
export function wrongCapabilities(request: Request, major: number): Refusal | undefined {
  const stranger = [...request.arguments.keys()].find((key) => key !== "enable");
  const enable = request.arguments.get("enable") ?? [];
  if (!Array.isArray(enable)) return generic("Invalid parameter type for 'enable', expected: array", request.id);
  for (const [index, name] of enable.entries()) {
    if (typeof name !== "string") return generic(`Invalid parameter type for 'enable[${index}]', expected: string`, request.id);
    if (name !== "oob") return generic(noSuchValue("null", name, major), request.id);
  }
  return stranger === undefined ? undefined : generic(`Parameter '${stranger}' is unexpected`, request.id);
}
