import { isErrorCode, messageOf } from "../../errors.ts";
import { eventLine } from "../event-line.ts";
import { EXIT } from "../exit-code.ts";
import { wording } from "../failure.ts";
import { flow, type Paint, painter, toJson } from "../output.ts";
import type { Io } from "../verb.ts";
import { complete } from "./complete.ts";
import type { Conversation } from "./conversation.ts";
import { History } from "./history.ts";
import { isUnfinished } from "./pieces.ts";
import { Screen } from "./screen.ts";
import { type Mode, parseStatement, type Statement } from "./statement.ts";

/** How a shell in a terminal starts. */
export interface TerminalOptions {
  readonly mode: Mode;
  /** The prompt. */
  readonly name: string;
  readonly greeting: string;
}

/** Runs the shell in a terminal. Resolves with 0 when the user leaves, 1 when QEMU ends, 130 after a signal. */
export function runTerminal(conversation: Conversation, io: Io, options: TerminalOptions): Promise<number> {
  return new Terminal(conversation, io, options).run();
}

class Terminal {
  readonly #conversation: Conversation;
  readonly #io: Io;
  readonly #options: TerminalOptions;
  readonly #history: History;
  readonly #paint: Paint;
  readonly #lines: string[] = [];
  #screen: Screen | undefined;
  #leave: (code: number) => void = () => {};
  #left = false;
  #mode: Mode;
  /** The lines so far of a statement with an open bracket. */
  #held = "";
  /** The history before the statement that the user is typing. */
  #before: readonly string[] | undefined;
  #saved: Promise<unknown> = Promise.resolve();
  #running: AbortController | undefined;
  #wantsQuit = false;
  #shown: ReadonlySet<string> | "all" | "none" = "all";

  constructor(conversation: Conversation, io: Io, options: TerminalOptions) {
    this.#conversation = conversation;
    this.#io = io;
    this.#options = options;
    this.#mode = options.mode;
    this.#history = new History(io.env);
    this.#paint = painter(io.stdout, io.env);
  }

  async run(): Promise<number> {
    const left = new Promise<number>((resolve) => (this.#leave = resolve));
    const { knowledge, ask } = this.#conversation;
    this.#screen = new Screen(this.#io, await this.#history.load(), {
      complete: (line) => complete(this.#held + line, { mode: this.#mode, knowledge, ask }),
      line: (line) => this.#take(line),
      interrupt: () => this.#interrupt(),
      close: () => this.#end(EXIT.done),
    });
    const onSignal = (): void => this.#end(EXIT.interrupted);
    this.#io.signal.addEventListener("abort", onSignal, { once: true });
    for (const line of this.#options.greeting.split("\n")) this.#io.stderr.write(flow(line, this.#io.stderr.columns));
    this.#screen.prompt(this.#promptText());
    void this.#watch();
    const code = await left;
    await this.#saved;
    this.#io.signal.removeEventListener("abort", onSignal);
    return code;
  }

  /** Shows events as they come, as fast as the terminal takes them. Ends the shell when the connection ends. */
  async #watch(): Promise<void> {
    try {
      while (await this.#missedSome()) {
        this.#print(`${this.#paint("events came faster than the terminal takes them: some are missing", "dim")}\n`);
      }
    } catch (error) {
      if (this.#left) return;
      // The user said quit twice, so this is no failure.
      const wanted = this.#wantsQuit;
      this.#end(wanted ? EXIT.done : EXIT.failed);
      this.#io.stderr.write(flow(`qmpctl: ${messageOf(error)}`, this.#io.stderr.columns));
    }
  }

  /** Shows events. Resolves with true when some were lost, with false when we close the connection. Rejects if it ends in another way. */
  async #missedSome(): Promise<boolean> {
    using events = this.#conversation.monitor.events();
    try {
      for await (const event of events) {
        if (this.#shown !== "all" && (this.#shown === "none" || !this.#shown.has(event.event))) continue;
        this.#print(`${eventLine(event, this.#paint)}\n`);
        await this.#io.stdout.drained?.();
      }
      return false;
    } catch (error) {
      if (!isErrorCode(error, "overflow")) throw error;
      return true;
    }
  }

  #take(line: string): void {
    if (this.#held === "") this.#before = this.#remembered.filter((each, index) => index > 0 || each !== line);
    const text = this.#held + line;
    const isHuman = this.#mode === "hmp" || /^\s*[!#]/.test(text);
    if (!isHuman && isUnfinished(text)) {
      this.#held = `${text} `;
      this.#screen?.prompt(this.#promptText());
      return;
    }
    this.#held = "";
    this.#remember(text.trimEnd());
    this.#lines.push(text);
    if (this.#running === undefined) void this.#work();
  }

  /** Remembers a statement of several lines as one line, and no secret. */
  #remember(text: string): void {
    const keeps = History.keeps(text);
    if (this.#before !== undefined)
      this.#remembered.splice(0, this.#remembered.length, ...(keeps ? [text] : []), ...this.#before.filter((each) => each !== text));
    this.#before = undefined;
    if (keeps) this.#saved = this.#saved.then(() => this.#history.add(text));
  }

  /** Runs the typed lines in order, with those that were typed ahead. */
  async #work(): Promise<void> {
    for (let line = this.#lines.shift(); line !== undefined && !this.#left; line = this.#lines.shift()) {
      this.#running = new AbortController();
      this.#screen?.hidePrompt();
      try {
        await this.#run(parseStatement(line, this.#mode), this.#running.signal);
      } catch (error) {
        // `#watch` reports the end of the connection.
        if (!this.#left && !isErrorCode(error, "closed"))
          this.#print(
            `${this.#paint(flow(error === this.#running.signal.reason ? messageOf(error) : `error: ${wording(error)}`, this.#io.stdout.columns).trimEnd(), "red")}\n`,
          );
      }
      this.#running = undefined;
    }
    this.#screen?.prompt(this.#promptText());
  }

  async #run(statement: Statement, signal: AbortSignal): Promise<void> {
    const again = this.#wantsQuit;
    this.#wantsQuit = false;
    switch (statement.kind) {
      case "nothing":
        return;
      case "exit":
        return this.#end(EXIT.done);
      case "qmp-mode":
      case "hmp-mode":
        this.#mode = statement.kind === "qmp-mode" ? "qmp" : "hmp";
        return;
      case "events":
        return this.#choose(statement.names);
      case "help":
        return this.#help(statement.topic);
      default:
        if (isQuit(statement)) {
          this.#wantsQuit = true;
          if (!again)
            return this.#print(
              flow("quit ends QEMU and its guest; type it again to do that, or exit (^D) to leave this shell", this.#io.stdout.columns),
            );
        }
        this.#show(statement, await this.#conversation.send(statement, signal));
    }
  }

  #show(statement: Statement, returned: unknown): void {
    const isText =
      typeof returned === "string" &&
      (statement.kind === "hmp" || (statement.kind === "command" && statement.name === "human-monitor-command"));
    const text = isText ? returned.replaceAll("\r\n", "\n") : toJson(returned, 2);
    if (text !== "") this.#print(text.endsWith("\n") ? text : `${text}\n`);
  }

  async #choose(names: readonly string[]): Promise<void> {
    const [first] = names;
    if (first !== undefined && first !== "on" && first !== "off") (await this.#conversation.knowledge.schema())?.checkEvents(names);
    if (first !== undefined)
      this.#shown = first === "on" ? "all" : first === "off" ? "none" : new Set(names.map((name) => name.toUpperCase()));
    const shown = this.#shown === "all" ? "all" : this.#shown === "none" ? "none" : [...this.#shown].join(" ");
    this.#print(`events shown: ${shown}\n`);
  }

  async #help(topic: string | undefined): Promise<void> {
    const { describe } = await import("./describe.ts");
    const schema = await this.#conversation.knowledge.schema();
    if (schema === undefined) return this.#print("this QEMU has no description of its commands (query-qmp-schema)\n");
    this.#print(describe(topic, schema, Math.min(this.#io.stdout.columns ?? 80, 100)));
  }

  /** ^C: stops waiting for a running command, else drops the input line. */
  #interrupt(): void {
    if (this.#running !== undefined) return this.#running.abort(new Error("stopped waiting: the command was sent and may still run"));
    const isEmpty = this.#screen?.typed === "" && this.#held === "";
    if (this.#held !== "") this.#remembered.splice(0, this.#remembered.length, ...(this.#before ?? []));
    this.#held = "";
    this.#screen?.drop(`^C\n${isEmpty ? "type exit or press ^D to leave\n" : ""}`, this.#promptText());
  }

  get #remembered(): string[] {
    return this.#screen?.remembered ?? [];
  }

  #print(text: string): void {
    this.#screen?.print(text);
  }

  #promptText(): string {
    const { name } = this.#options;
    return this.#paint(this.#held !== "" ? "... " : `${name}${this.#mode === "hmp" ? " (hmp)" : ""}> `, "bold");
  }

  #end(code: number): void {
    if (this.#left) return;
    this.#left = true;
    this.#running?.abort(new Error("left"));
    this.#screen?.close();
    this.#leave(code);
  }
}

function isQuit(statement: Statement): boolean {
  if (statement.kind === "hmp") return /^(q|quit)\b/.test(statement.line);
  return (
    (statement.kind === "command" && statement.name === "quit") || (statement.kind === "request" && statement.request["execute"] === "quit")
  );
}
