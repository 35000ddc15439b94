import { parseJson } from "../json/json-input.ts";
import { canonical, isObject, type Json, type JsonObject, toPlain } from "../json/json-value.ts";
import { AGENT_CHANNEL } from "./agent-channel.ts";
import type { Directive } from "./directive.ts";
import { idOf, outline } from "./message-outline.ts";
import { type Exchange, type Happening, isQuery, type Modifier, type Prologue, type Scene } from "./timeline-entry.ts";
import { type Entry, type Transcript, TranscriptError } from "./transcript.ts";

/** A transcript in the order of events: all connections are merged, and each answer stands where it was given. */
export interface Timeline {
  readonly transcript: Transcript;
  readonly scenes: readonly Scene[];
  readonly prologues: readonly Prologue[];
}

type Draft<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer I)[] ? I[] : T[K] };

interface Asked {
  readonly id: string;
  readonly exchange: Draft<Exchange>;
}

interface Connection {
  /** It is the guest agent's: without a greeting, and no client of QEMU. */
  readonly isAgent: boolean;
  readonly prologue: Draft<Prologue>;
  readonly at: number | undefined;
  readonly waiting: Asked[];
  readonly heard: Map<string, number>;
  /** Ids of commands that came before the negotiation. They are refused by rule, and do not belong to the timeline. */
  readonly premature: Set<string>;
  negotiating: string | undefined;
  negotiated: boolean;
  open: boolean;
}

/**
 * Merges a transcript's connections into one timeline.
 *
 * @throws TranscriptError when a line can't belong to any connection
 */
export function timelineOf(transcript: Transcript): Timeline {
  const builder = new Builder(transcript);
  for (const entry of transcript.entries) builder.add(entry);
  return builder.finish();
}

class Builder {
  readonly #transcript: Transcript;
  readonly #connections = new Map<number, Connection>();
  readonly #orphans: Asked[] = [];
  readonly #scenes: Draft<Scene>[] = [{ change: undefined, entries: [] }];
  readonly #events = new Map<string, number>();
  #modifiers: Modifier[] = [];
  #speaking: Connection | undefined;
  #deserted = false;

  constructor(transcript: Transcript) {
    this.#transcript = transcript;
  }

  add(entry: Entry): void {
    if (entry.kind === "directive") this.#direct(entry.directive, entry.line);
    else if (entry.kind === "client") this.#said(this.#message(entry.text, entry.line), entry.line);
    else if (entry.kind === "server") this.#answered(entry.text, entry.line);
  }

  finish(): Timeline {
    for (const connection of this.#connections.values()) this.#abandon(connection);
    for (const { exchange } of this.#orphans) this.#place(exchange);
    return { transcript: this.#transcript, scenes: this.#scenes, prologues: [...this.#connections.values()].map((it) => it.prologue) };
  }

  #direct(directive: Directive, line: number): void {
    switch (directive.name) {
      case "connect":
        this.#speaking = this.#connect(directive.connection, directive.monitor, line, directive.at);
        return;
      case "on":
        this.#speaking = this.#known(directive.connection, line);
        return;
      case "close":
        return this.#close(this.#known(directive.connection, line));
      case "delay":
      case "truncate":
        this.#modifiers.push(directive);
        return;
      case "end":
        return;
      default:
        if (directive.name === "exit") for (const connection of this.#connections.values()) this.#abandon(connection);
        if (directive.name === "reset" || directive.name === "hang") this.#abandon(this.#speaking);
        return this.#happen({ kind: "weather", line, directive });
    }
  }

  #connect(number: number, monitor: string, line: number, at?: number): Connection {
    if (this.#connections.has(number)) throw this.#error(line, `connection ${number} was there before`);
    const prologue = { monitor, greeting: undefined, before: [], between: [], modifiers: [] };
    const connection: Connection = {
      isAgent: monitor === AGENT_CHANNEL,
      prologue,
      at,
      waiting: [],
      heard: new Map(),
      premature: new Set(),
      negotiating: undefined,
      negotiated: false,
      open: true,
    };
    this.#connections.set(number, connection);
    return connection;
  }

  #known(number: number, line: number): Connection {
    const connection = this.#connections.get(number);
    if (connection === undefined) throw this.#error(line, `no connection ${number} yet`);
    return connection;
  }

  #close(connection: Connection): void {
    connection.open = false;
    // A client that was given no answer by then was given none.
    if (connection.isAgent) return this.#abandon(connection);
    this.#orphans.push(...connection.waiting.splice(0));
    if (connection.negotiated && ![...this.#connections.values()].some((it) => it.open && it.negotiated)) this.#deserted = true;
  }

  /** Nothing that this connection still waits for will come. */
  #abandon(connection: Connection | undefined): void {
    for (const { exchange } of connection?.waiting.splice(0) ?? []) this.#place(exchange);
  }

  #said(message: JsonObject, line: number): void {
    const connection = (this.#speaking ??= this.#connect(1, "control", line));
    const command = message.get("execute") ?? message.get("exec-oob");
    const id = idOf(message);
    if (typeof command !== "string") throw this.#error(line, "the command's name is no string");
    if (command === "qmp_capabilities") {
      connection.negotiating = id;
      return;
    }
    if (!connection.isAgent && !connection.negotiated && connection.negotiating === undefined) return void connection.premature.add(id);
    const asked = message.get("arguments") ?? new Map<string, Json>();
    const query = isQuery(command, toPlain(asked));
    const exchange = {
      kind: "exchange" as const,
      line,
      command,
      arguments: canonical(asked),
      at: connection.at,
      query,
      during: [],
      reply: undefined,
      late: false,
      modifiers: [],
    };
    connection.waiting.push({ id, exchange });
  }

  #answered(text: string, line: number): void {
    const connection = (this.#speaking ??= this.#connect(1, "control", line));
    const modifiers = this.#modifiers.splice(0);
    if (/^\{"QMP"/.test(text)) {
      connection.prologue.greeting = text;
      connection.prologue.modifiers = modifiers;
      return;
    }
    const message = text.length > 256 ? outline(text) : this.#message(text, line);
    if (message.has("event")) return this.#event(connection, { kind: "event", line, text, modifiers });
    const id = idOf(message);
    if (id === connection.negotiating) return this.#negotiated(connection, message);
    if (connection.premature.delete(id)) return;
    const place = id === "" ? 0 : connection.waiting.findIndex((it) => it.id === id);
    const [asked] = place < 0 ? [] : connection.waiting.splice(place, 1);
    if (asked !== undefined) return this.#reply(asked.exchange, text, modifiers, false);
    const late = this.#orphans.findIndex((it) => it.id === id);
    const [orphan] = late < 0 ? [] : this.#orphans.splice(late, 1);
    if (orphan !== undefined) return this.#reply(orphan.exchange, text, modifiers, true);
    if (connection.negotiated) throw this.#error(line, `nothing with the id ${id === "" ? "(none)" : id} was asked`);
  }

  #negotiated(connection: Connection, reply: JsonObject): void {
    connection.negotiating = undefined;
    if (!reply.has("return")) return;
    connection.negotiated = true;
    if (this.#deserted) this.#scenes.push({ change: undefined, entries: [] });
    this.#deserted = false;
  }

  #reply(exchange: Draft<Exchange>, text: string, modifiers: Modifier[], late: boolean): void {
    Object.assign(exchange, { reply: text, modifiers, late });
    this.#place(exchange);
  }

  #place(exchange: Exchange): void {
    if (exchange.query) this.#scenes.at(-1)?.entries.push(exchange);
    else this.#scenes.push({ change: exchange, entries: [] });
  }

  /**
   * An event is sent to all clients, so the same text on several connections is one event. A client that had not negotiated saw it out of
   * order.
   */
  #event(connection: Connection, event: Happening & { readonly kind: "event" }): void {
    const nth = (connection.heard.get(event.text) ?? 0) + 1;
    connection.heard.set(event.text, nth);
    const known = this.#events.get(event.text) ?? 0;
    if (nth > known) this.#events.set(event.text, nth);
    if (!connection.negotiated) return void this.#stageOf(connection).push(event);
    if (nth > known) this.#happen(event);
  }

  #stageOf(connection: Connection): Happening[] {
    return connection.prologue.greeting === undefined ? connection.prologue.before : connection.prologue.between;
  }

  #happen(happening: Happening): void {
    if (
      this.#speaking !== undefined &&
      this.#speaking.open &&
      !this.#speaking.negotiated &&
      happening.kind === "weather" &&
      !["exit", "stderr"].includes(happening.directive.name)
    ) {
      return void this.#stageOf(this.#speaking).push(happening);
    }
    const waiting = this.#speaking?.waiting[0]?.exchange;
    if (happening.kind === "weather" && waiting !== undefined) return void waiting.during.push(happening);
    const changing = [...this.#connections.values()].flatMap((it) => it.waiting).filter((it) => !it.exchange.query);
    const oldest = changing.sort((a, b) => a.exchange.line - b.exchange.line)[0];
    if (oldest === undefined) this.#scenes.at(-1)?.entries.push(happening);
    else oldest.exchange.during.push(happening);
  }

  #message(text: string, line: number): JsonObject {
    const value = parseJson(text);
    if (!isObject(value)) throw this.#error(line, "not a JSON object");
    return value;
  }

  #error(line: number, why: string): TranscriptError {
    return new TranscriptError(this.#transcript.name, line, why);
  }
}
