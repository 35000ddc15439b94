import { isErrorCode } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Monitor } from "../facade.ts";
import { type Ask, Knowledge } from "./knowledge.ts";
import type { Statement } from "./statement.ts";
import { membersOf, untyped } from "./typed.ts";

/** How long an answer that only helps typing may take, in milliseconds. */
const ASIDE = 2000;

/** A statement that goes to QEMU. */
export type Sent = Extract<Statement, { kind: "command" | "request" | "hmp" }>;

/** What both the terminal and a script do with a statement. */
export class Conversation {
  readonly monitor: Monitor;
  readonly knowledge: Knowledge;
  readonly #timeout: { readonly timeout?: number };

  constructor(monitor: Monitor, timeout: { readonly timeout?: number }) {
    this.monitor = monitor;
    this.#timeout = timeout;
    this.knowledge = new Knowledge(this.ask);
  }

  /** Asks on the side: no answer and an error are the same. */
  readonly ask: Ask = async (command, args) => {
    try {
      return await this.monitor.execute(command, args, { timeout: ASIDE });
    } catch {
      return undefined;
    }
  };

  /**
   * Sends a statement and resolves with what QEMU returns.
   * @throws CommandError, TimeoutError, ClosedError, ProtocolError; UsageError for a value of the wrong type; the signal's reason
   */
  async send(statement: Sent, signal: AbortSignal): Promise<unknown> {
    const options = { ...this.#timeout, signal };
    if (statement.kind === "hmp") return this.monitor.execute("human-monitor-command", { "command-line": statement.line }, options);
    if (statement.kind === "request") return this.#exchange(statement.request, options);
    const { name } = statement;
    const args = statement.members ?? (await this.#typed(statement));
    try {
      return await this.monitor.execute(name, args, options);
    } catch (error) {
      // QEMU may be gone before its answer is out: that is what was wanted.
      if (name === "quit" && isErrorCode(error, "closed")) return {};
      throw error;
    }
  }

  /** An error with what was probably meant, where QEMU does not know a command or an argument by that name. */
  async explained(error: unknown): Promise<unknown> {
    if (!(error instanceof CommandError)) return error;
    const meant = await this.#meant(error);
    if (meant === undefined) return error;
    const { command, class: kind, desc } = error;
    return Object.assign(new CommandError(command, { class: kind, desc }), { message: `${error.message}, did you mean ${meant}?` });
  }

  async #meant({ command, class: kind, desc }: CommandError): Promise<string | undefined> {
    if (kind === "CommandNotFound") return (await this.knowledge.schema())?.meant(command);
    // QEMU's words for an argument that a command does not take, a dot before each step inwards.
    const argument = /^Parameter '([^']+)' is unexpected$/.exec(desc)?.[1]?.split(".");
    if (argument === undefined) return undefined;
    const path = argument.slice(0, -1);
    const members = await this.knowledge.members(command, path, () => undefined);
    const near = nearest(argument.at(-1) ?? "", members.map(({ name }) => name));
    return near === undefined ? undefined : [...path, near].join(".");
  }

  async #exchange(request: Readonly<Record<string, unknown>>, options: { readonly timeout?: number; readonly signal: AbortSignal }): Promise<unknown> {
    const reply = await this.monitor.exchange(request, options);
    const error = reply["error"] as { readonly class: string; readonly desc: string } | undefined;
    if (error !== undefined) throw new CommandError(String(request["execute"] ?? request["exec-oob"]), error);
    return reply["return"];
  }

  async #typed({ name, pairs }: Extract<Statement, { kind: "command" }>): Promise<Record<string, unknown> | undefined> {
    if (pairs.length === 0) return undefined;
    const texts = new Map(pairs.flatMap(({ key, value }) => (value.kind === "json" ? [] : [[key, value.text]])));
    const types = await this.knowledge.types(name, (key) => texts.get(key));
    return membersOf(pairs, types ?? untyped);
  }
}
