import type { Monitor } from "../../domain/facade.ts";
import { isErrorCode } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import { CommandError } from "../../qmp/errors.ts";
import { type Ask, Knowledge } from "./knowledge.ts";
import type { Statement } from "./statement.ts";
import { membersOf, untyped } from "./typed.ts";

/** How long a request may take that only helps typing, in milliseconds. */
const ASIDE = 2000;

/** A statement that goes to QEMU. */
export type Sent = Extract<Statement, { kind: "command" | "request" | "hmp" }>;

/** What a terminal and a script have in common: how they send a statement. */
export class Conversation {
  readonly monitor: Monitor;
  readonly knowledge: Knowledge;
  readonly #timeout: { readonly timeout?: number };

  constructor(monitor: Monitor, timeout: { readonly timeout?: number }) {
    this.monitor = monitor;
    this.#timeout = timeout;
    this.knowledge = new Knowledge(this.ask);
  }

  /** Asks for help with typing. An error counts as no answer. */
  readonly ask: Ask = async (command, args) => {
    try {
      return await this.monitor.execute(command, args, { timeout: ASIDE });
    } catch {
      return undefined;
    }
  };

  /**
   * Sends a statement and resolves with what QEMU returns.
   * @throws CommandError, TimeoutError, ClosedError, ProtocolError; UsageError when a value has the wrong type; the signal's reason
   */
  async send(statement: Sent, signal: AbortSignal): Promise<unknown> {
    const options = { ...this.#timeout, signal };
    if (statement.kind === "hmp") return this.monitor.execute("human-monitor-command", { "command-line": statement.line }, options);
    if (statement.kind === "request")
      return this.#guessing(statement.request["arguments"], () => this.#exchange(statement.request, options));
    const { name } = statement;
    const args = statement.members ?? (await this.#typed(statement));
    try {
      return await this.#guessing(args, () => this.monitor.execute(name, args, options));
    } catch (error) {
      // QEMU may end before it has answered, which is what the user wants.
      if (name === "quit" && isErrorCode(error, "closed")) return {};
      throw error;
    }
  }

  /** If QEMU does not know a command or an argument, adds the name that was probably `meant` to the error. */
  async #guessing(args: unknown, work: () => Promise<unknown>): Promise<unknown> {
    try {
      return await work();
    } catch (error) {
      const meant = error instanceof CommandError ? await this.#meant(error, args) : undefined;
      throw meant === undefined ? error : Object.assign(error as CommandError, { meant });
    }
  }

  async #meant({ command, class: kind, desc }: CommandError, args: unknown): Promise<string | undefined> {
    if (kind === "CommandNotFound") return (await this.knowledge.schema())?.meant(command);
    // QEMU's words, with a dot at each level. If a name is misspelled, QEMU may first complain that the right one is missing.
    const argument = /^Parameter '([^']+)' is (unexpected|missing)$/.exec(desc);
    if (argument === null) return undefined;
    const [, name = "", how] = argument;
    const path = name.split(".").slice(0, -1);
    const given = keysAt(args, path);
    const known = (await this.knowledge.members(command, path, () => undefined)).map((member) => member.name);
    const wrong = how === "unexpected" ? [name.split(".").at(-1) ?? ""] : given.filter((key) => !known.includes(key));
    const near = wrong
      .map((key) =>
        nearest(
          key,
          known.filter((each) => !given.includes(each)),
        ),
      )
      .find((each) => each !== undefined);
    return near === undefined ? undefined : [...path, near].join(".");
  }

  async #exchange(
    request: Readonly<Record<string, unknown>>,
    options: { readonly timeout?: number; readonly signal: AbortSignal },
  ): Promise<unknown> {
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

function keysAt(args: unknown, path: readonly string[]): readonly string[] {
  const inner = path.reduce<unknown>(
    (from, key) => (typeof from === "object" && from !== null ? (from as Readonly<Record<string, unknown>>)[key] : undefined),
    args,
  );
  return typeof inner === "object" && inner !== null ? Object.keys(inner) : [];
}
