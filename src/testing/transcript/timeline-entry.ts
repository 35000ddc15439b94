import type { Directive } from "./directive.ts";

/** Something QEMU does that nobody asked for: an event, or a directive (weather, its end). */
export type Happening =
  | { readonly kind: "event"; readonly line: number; readonly text: string; readonly modifiers: readonly Modifier[] }
  | { readonly kind: "weather"; readonly line: number; readonly directive: Directive };

/** A directive that changes the one message after it. */
export type Modifier = Extract<Directive, { readonly name: "delay" | "truncate" }>;

/** A command and what came of it. */
export interface Exchange {
  readonly kind: "exchange";
  /** Where the command stands. */
  readonly line: number;
  readonly command: string;
  /** Its arguments in canonical form: equal text, equal arguments. */
  readonly arguments: string;
  /** When its client came, in seconds since 1970; undefined where that was not recorded. */
  readonly at: number | undefined;
  /** Whether it changes nothing, and may be asked any number of times. */
  readonly query: boolean;
  /** What came between the command and its reply. For a query only weather: an event during a query is an event before it. */
  readonly during: readonly Happening[];
  /** The reply as recorded; undefined where none came. */
  readonly reply: string | undefined;
  /** The reply came when its asker had left: it goes to the next client. */
  readonly late: boolean;
  readonly modifiers: readonly Modifier[];
}

/** One entry of a transcript: something that happens by itself, or a command and what follows it. */
export type TimelineEntry = Happening | Exchange;

/** What lies between two changing commands, or until all clients had left. Begins with the change that opened it, if one did. */
export interface Scene {
  readonly change: Exchange | undefined;
  readonly entries: readonly TimelineEntry[];
}

/** What one connection saw up to its capabilities reply. */
export interface Prologue {
  readonly monitor: string;
  /** The greeting, as recorded; undefined where none came. */
  readonly greeting: string | undefined;
  /** What came before the greeting, and between it and the reply to qmp_capabilities. */
  readonly before: readonly Happening[];
  readonly between: readonly Happening[];
  readonly modifiers: readonly Modifier[];
}

/** Whether a command only looks. Everything else is taken to change something, and so has its place in the order. */
export function isQuery(command: string, plainArguments: unknown): boolean {
  if (/^(x-)?query-/.test(command) || /^(qom|device)-list(-|$)/.test(command) || command === "qom-get") return true;
  if (command !== "human-monitor-command") return false;
  const line = (plainArguments as { readonly "command-line"?: unknown } | undefined)?.["command-line"];
  return typeof line === "string" && /^\s*(info|help|xp?)\b/.test(line);
}

/** Commands whose answer is the same all through a QEMU's life: recorded anywhere, good everywhere. */
export function isConstant(command: string): boolean {
  return /^(query-(version|commands|qmp-schema|command-line-options|target|machines|cpu-definitions|name|uuid|kvm)|qom-list-types|device-list-properties|qom-list-properties)$/.test(
    command,
  );
}
