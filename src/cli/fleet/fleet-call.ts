import type { Facade } from "../../domain/facade.ts";
import type { Crew } from "../../remote/fleet/crew.ts";
import type { FleetOutcome } from "../../remote/fleet/target.ts";
import { EXIT } from "../exit-code.ts";
import type { Arguments } from "../options.ts";
import type { Call, Io, Source, There, Verb, World } from "../verb.ts";
import type { FleetMeant } from "./fleet-words.ts";

/** A command line over many hosts, or over domains by a pattern. */
export interface FleetLine {
  readonly name: string;
  readonly verb: Verb;
  readonly args: Arguments;
  readonly meant: FleetMeant;
  readonly how: There;
  readonly world: World;
}

/** What each kind of work over a fleet is given. */
export interface FleetCall extends FleetLine {
  readonly io: Io;
  readonly crew: Crew;
  /** Name or pattern of the domains; empty for a verb that is about hosts. */
  readonly domain: string;
  /** The verb's own call for one target: with the domain's name in its place. */
  readonly callFor: (domain: string, facade: Facade, io: Io) => Call;
  readonly stdin: () => Source;
}

/** The exit code of what only reads. */
export function exitCodeOfReading(io: Io, failed: boolean): number {
  return io.signal.aborted ? EXIT.interrupted : failed ? EXIT.failed : EXIT.done;
}

const EXITS: Readonly<Record<FleetOutcome, number>> = {
  planned: EXIT.done,
  done: EXIT.done,
  pending: EXIT.pending,
  refused: EXIT.refused,
  partial: EXIT.partial,
  interrupted: EXIT.interrupted,
  failed: EXIT.failed,
};

/** The exit code of a change or an action of many. */
export function exitCodeOfFleet(outcome: FleetOutcome): number {
  return EXITS[outcome];
}
