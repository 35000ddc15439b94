import { isAgentQuestion } from "./agent-channel.ts";
import type { Directive } from "./directive.ts";

/** Something that QEMU does unasked: an event, or a directive (a fault, or QEMU's end). */
export type Happening =
  | { readonly kind: "event"; readonly line: number; readonly text: string; readonly modifiers: readonly Modifier[] }
  | { readonly kind: "weather"; readonly line: number; readonly directive: Directive };

/** A directive that changes the message after it. */
export type Modifier = Extract<Directive, { readonly name: "delay" | "truncate" }>;

/** A command and its outcome. */
export interface Exchange {
  readonly kind: "exchange";
  /** The line of the command in the transcript. */
  readonly line: number;
  readonly command: string;
  /** Its arguments in canonical form: equal arguments have equal texts. */
  readonly arguments: string;
  /** When its client connected, in seconds since 1970; undefined if that was not recorded. */
  readonly at: number | undefined;
  /** Whether it changes nothing, so that it may be asked any number of times. */
  readonly query: boolean;
  /** What came between the command and its reply. For a query these are only faults: an event during a query counts as before it. */
  readonly during: readonly Happening[];
  /** The reply as recorded; undefined if none came. */
  readonly reply: string | undefined;
  /** Whether the reply came after its client had left. It goes to the next client then. */
  readonly late: boolean;
  readonly modifiers: readonly Modifier[];
}

/** One entry of a timeline: something that happens by itself, or a command with its outcome. */
export type TimelineEntry = Happening | Exchange;

/** Everything between two changing commands, or until all clients had left. It begins with its change, if there is one. */
export interface Scene {
  readonly change: Exchange | undefined;
  readonly entries: readonly TimelineEntry[];
}

/** What one connection saw up to the reply to qmp_capabilities. */
export interface Prologue {
  readonly monitor: string;
  /** The greeting, as recorded; undefined if none came. */
  readonly greeting: string | undefined;
  /** What came before the greeting, and between the greeting and the reply to qmp_capabilities. */
  readonly before: readonly Happening[];
  readonly between: readonly Happening[];
  readonly modifiers: readonly Modifier[];
}

/** Whether a command only reads. All others may change something, so their order counts. */
export function isQuery(command: string, plainArguments: unknown): boolean {
  if (/^(x-)?query-/.test(command) || /^(qom|device)-list(-|$)/.test(command) || command === "qom-get") return true;
  if (isAgentQuestion(command)) return true;
  if (command !== "human-monitor-command") return false;
  const line = (plainArguments as { readonly "command-line"?: unknown } | undefined)?.["command-line"];
  return typeof line === "string" && /^\s*(info|help|xp?)\b/.test(line);
}

/** Whether a command's answer is the same during a whole run of QEMU. Then it may be recorded anywhere in it. */
export function isConstant(command: string): boolean {
  return /^(query-(version|commands|qmp-schema|command-line-options|target|machines|cpu-definitions|name|uuid|kvm)|qom-list-types|device-list-properties|qom-list-properties)$/.test(
    command,
  );
}
