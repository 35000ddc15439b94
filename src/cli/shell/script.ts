import { createInterface } from "node:readline";
import { isErrorCode } from "../../errors.ts";
import { EXIT, exitCodeOfError } from "../exit-code.ts";
import { evidenceOf, wording } from "../failure.ts";
import { misuse } from "../options.ts";
import { toJson } from "../output.ts";
import type { Io } from "../verb.ts";
import type { Conversation, Sent } from "./conversation.ts";
import { isUnfinished } from "./pieces.ts";
import { type Mode, parseStatement, type Statement } from "./statement.ts";

/** How a script is run. */
export interface ScriptOptions {
  readonly mode: Mode;
  readonly keepGoing: boolean;
  /** Prints an object with the line number for each result, instead of only what QEMU returns. */
  readonly json: boolean;
}

/**
 * Runs commands from stdin, one a line. An open bracket continues a command on the next line. Prints one line of JSON for each result:
 * what QEMU returned, or `{"error": ...}`, with a message on stderr too. Resolves with the exit code of the first failure, else 0.
 */
export async function runScript(conversation: Conversation, io: Io, options: ScriptOptions): Promise<number> {
  const lines = createInterface({ input: io.stdin, crlfDelay: Infinity });
  const stop = (): void => lines.close();
  io.signal.addEventListener("abort", stop, { once: true });
  const script = new Script(conversation, io, options);
  try {
    for await (const line of lines) if (!(await script.take(line))) return script.code;
    io.signal.throwIfAborted();
    await script.end();
    return script.code;
  } finally {
    io.signal.removeEventListener("abort", stop);
    lines.close();
  }
}

class Script {
  code: number = EXIT.done;
  readonly #conversation: Conversation;
  readonly #io: Io;
  readonly #options: ScriptOptions;
  #mode: Mode;
  #number = 0;
  #began = 1;
  #held = "";

  constructor(conversation: Conversation, io: Io, options: ScriptOptions) {
    this.#conversation = conversation;
    this.#io = io;
    this.#options = options;
    this.#mode = options.mode;
  }

  /** Runs one line. Resolves with whether the script goes on. */
  async take(line: string): Promise<boolean> {
    this.#number++;
    if (this.#held === "") this.#began = this.#number;
    const text = this.#held === "" ? line : `${this.#held}\n${line}`;
    const isComment = text.trimStart().startsWith("#");
    this.#held = this.#mode === "qmp" && !isComment && !text.trimStart().startsWith("!") && isUnfinished(text) ? text : "";
    return this.#held !== "" || (await this.#run(text));
  }

  /** Ends the script after its last line. */
  async end(): Promise<void> {
    if (this.#held !== "") await this.#failed(this.#held, misuse(`${this.#held}: a bracket is never closed`, this.#held, "JSON"));
  }

  async #run(text: string): Promise<boolean> {
    try {
      const statement = parseStatement(text, this.#mode);
      if (statement.kind === "nothing") return true;
      if (statement.kind === "exit") return false;
      if (statement.kind === "qmp-mode" || statement.kind === "hmp-mode") this.#mode = statement.kind === "qmp-mode" ? "qmp" : "hmp";
      else await this.#say(text, { return: await this.#conversation.send(sendable(statement), this.#io.signal) });
      return true;
    } catch (error) {
      if (this.#io.signal.aborted) throw error;
      await this.#failed(text, error);
      // Without a connection, every further line would fail too.
      return this.#options.keepGoing && !isErrorCode(error, "closed");
    }
  }

  async #failed(text: string, error: unknown): Promise<void> {
    const code = exitCodeOfError(error, this.#io.signal);
    if (this.code === EXIT.done) this.code = code;
    const said = this.#say(text, { error: evidenceOf(error) });
    this.#io.stderr.write(`qmpctl: line ${this.#began}: ${wording(error)}\n`);
    await Promise.all([said, this.#io.stderr.drained?.()]);
  }

  /** Resolves when the reader has room for the next result: a script may be endless. */
  async #say(text: string, result: { readonly return: unknown } | { readonly error: unknown }): Promise<void> {
    const plain = "return" in result ? result.return : result;
    this.#io.stdout.write(`${toJson(this.#options.json ? { line: this.#began, input: text.trim(), ...result } : plain)}\n`);
    await this.#io.stdout.drained?.();
  }
}

function sendable(statement: Statement): Sent {
  if (statement.kind === "command" || statement.kind === "request" || statement.kind === "hmp") return statement;
  throw misuse(`${statement.kind}: only in a terminal`, statement.kind, "a command of QMP");
}
