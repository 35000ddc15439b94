import type { Commands } from "./commands.ts";
import type { Events } from "./events.ts";
import type { QemuCommands } from "./generated/commands.ts";
import type { QemuEvents } from "./generated/events.ts";
import type { CommandPresence, EventPresence, Everywhere } from "./generated/presence.ts";

/** Every command whose types are known: those whose replies are checked, and all of the QEMUs that were recorded. */
export type KnownCommand = keyof Commands | keyof QemuCommands;

/** Every event whose types are known. */
export type KnownEvent = keyof Events | keyof QemuEvents;

/** The name of a command. Known names complete in an editor; any other string is a command too. */
export type CommandName = KnownCommand | (string & {});

/** The name of an event. Known names complete in an editor; any other string is an event too. */
export type EventName = KnownEvent | (string & {});

/**
 * What a command takes; any object, where the command is not known. Values of enumerations are open, save a tag's, by which the other
 * members
 * go: what no recorded QEMU has is sent by a name that is any string, as in `"chardev-add" as string`.
 */
export type ArgumentsOf<Name extends string> = Name extends keyof Commands
  ? Commands[Name]["arguments"]
  : Name extends keyof QemuCommands
    ? QemuCommands[Name]["arguments"]
    : object;

/** What a command gives; unknown, where the command is not known. */
export type ReturnsOf<Name extends string> = Name extends keyof Commands
  ? Commands[Name]["returns"]
  : Name extends keyof QemuCommands
    ? QemuCommands[Name]["returns"]
    : unknown;

/** What an event tells; unknown, where the event is not known. */
export type DataOf<Name extends string> = Name extends keyof Events
  ? Events[Name]
  : Name extends keyof QemuEvents
    ? QemuEvents[Name]
    : unknown;

/** A release of QEMU that was recorded, as `"7.2"`, or one for one architecture, as `"7.2_s390x"`. */
export type QemuRelease = Everywhere | (Everywhere extends `${infer Release}_${string}` ? Release : never);

/** The keys of a table of presence that a release has. */
type Having<Table, Release extends string> = {
  [Name in keyof Table]: Extract<Table[Name], Release | `${Release}_${string}`> extends never ? never : Name;
}[keyof Table];

/** The commands of one release, as `CommandsOf<"7.2">`. What they take and give is that of all releases together. */
export type CommandsOf<Release extends QemuRelease> = Pick<QemuCommands, Having<CommandPresence, Release>>;

/** The events of one release, as `EventsOf<"7.2">`. */
export type EventsOf<Release extends QemuRelease> = Pick<QemuEvents, Having<EventPresence, Release>>;
