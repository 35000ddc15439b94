import { isNumber, isObject, type Json, type JsonObject } from "../json/json-value.ts";

/** The name of the guest agent's channel in transcripts. A monitor is named after a file, and no file has such a name. */
export const AGENT_CHANNEL = "guest/agent";

const SYNCHRONISING: readonly string[] = ["guest-sync", "guest-sync-delimited"];

/** Whether a command only finds out whether the agent answers. Its argument is the client's own number, and comes back. */
export function isSynchronising(command: unknown): boolean {
  return typeof command === "string" && SYNCHRONISING.includes(command);
}

/** Whether a command of the agent only reads. */
export function isAgentQuestion(command: string): boolean {
  return isSynchronising(command) || /^guest-(ping|info|get-.*|network-get-.*|fsfreeze-status|exec-status)$/.test(command);
}

/**
 * What is said on one connection to an agent, as it is written down: the random numbers of synchronising are zeros. Undefined: it says
 * nothing, because it is the agent's complaint about the byte that a client begins with, or an answer to a client that has left.
 */
export class AgentConversation {
  readonly #numbers = new Set<string>();

  /** A request. */
  asked(message: Json): Json {
    if (!isObject(message) || !isSynchronising(message.get("execute"))) return message;
    const number = numberIn(message.get("arguments"));
    if (number === undefined) return message;
    this.#numbers.add(number);
    return withMember(message, "arguments", new Map([["id", ZERO]]));
  }

  /** A reply. */
  answered(message: Json): Json | undefined {
    if (!isObject(message)) return message;
    const value = message.get("return");
    if (isNumber(value)) return this.#numbers.delete(value.digits) ? withMember(message, "return", ZERO) : message;
    const error = message.get("error");
    const text = isObject(error) ? error.get("desc") : undefined;
    return typeof text === "string" && text.startsWith("JSON parse error") ? undefined : message;
  }
}

const ZERO = { digits: "0" } as const;

function numberIn(args: Json | undefined): string | undefined {
  const id = isObject(args) ? args.get("id") : undefined;
  return isNumber(id) ? id.digits : undefined;
}

function withMember(message: JsonObject, key: string, value: Json): JsonObject {
  return new Map([...message].map(([name, member]) => [name, name === key ? value : member]));
}
