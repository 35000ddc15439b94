import type { Commands } from "./commands.ts";
import type { Events } from "./events.ts";
import type { QemuCommands } from "./generated/commands.ts";
import type { QemuEvents } from "./generated/events.ts";
import type { CommandPresence, EventPresence, Everywhere } from "./generated/presence.ts";

/** Every command with known types: those whose replies are checked, and those of all recorded QEMUs. */
export type KnownCommand = keyof Commands | keyof QemuCommands;

/** Every event with known types. */
export type KnownEvent = keyof Events | keyof QemuEvents;

/** The name of a command. Known names complete in an editor; any other string is a command too. */
export type CommandName = KnownCommand | (string & {});

/** The name of an event. Known names complete in an editor; any other string is an event too. */
export type EventName = KnownEvent | (string & {});

/**
 * What a command takes; any object if the command is not known. Enumerations are open to more values, except the tags that select variants.
 * To send a value that no recorded QEMU has, pass the command's name as any string: `"chardev-add" as string`.
 */
export type ArgumentsOf<Name extends string> = Name extends keyof Commands
  ? Commands[Name]["arguments"]
  : Name extends keyof QemuCommands
    ? QemuCommands[Name]["arguments"]
    : object;

/** What a command returns; unknown if the command is not known. */
export type ReturnsOf<Name extends string> = Name extends keyof Commands
  ? Commands[Name]["returns"]
  : Name extends keyof QemuCommands
    ? QemuCommands[Name]["returns"]
    : unknown;

/** The data of an event; unknown if the event is not known. */
export type DataOf<Name extends string> = Name extends keyof Events
  ? Events[Name]
  : Name extends keyof QemuEvents
    ? QemuEvents[Name]
    : unknown;

/** A recorded release of QEMU, as `"7.2"`, or a release for one architecture, as `"7.2_s390x"`. */
export type QemuRelease = Everywhere | (Everywhere extends `${infer Release}_${string}` ? Release : never);

/** The keys of a table of presence that a release has. */
type Having<Table, Release extends string> = {
  [Name in keyof Table]: Extract<Table[Name], Release | `${Release}_${string}`> extends never ? never : Name;
}[keyof Table];

/** The commands of one release, as `CommandsOf<"7.2">`. Their arguments and replies are those of all releases together. */
export type CommandsOf<Release extends QemuRelease> = Pick<QemuCommands, Having<CommandPresence, Release>>;

/** The events of one release, as `EventsOf<"7.2">`. */
export type EventsOf<Release extends QemuRelease> = Pick<QemuEvents, Having<EventPresence, Release>>;
