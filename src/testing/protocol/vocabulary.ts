import { type Introspection, readIntrospection } from "../../schema/introspection.ts";
import { fromPlain, type Json } from "../json/json-value.ts";
import { mistakeIn } from "./argument-check.ts";
import type { Refusal, Request } from "./request.ts";

/** One entry of a reply to query-qmp-schema. */
export interface SchemaEntry {
  readonly name: string;
  readonly "meta-type": string;
}

/** The commands that can be sent out of band in all versions from 5.2 to 11.1. Source: `allow-oob` of query-qmp-schema. */
const OUT_OF_BAND: readonly string[] = ["migrate-recover", "migrate-pause", "yank", "query-yank"];

/** What a QEMU understands, by its own schema, if there is one: it refuses unknown commands, and arguments that do not fit. */
export class Vocabulary {
  readonly #load: () => readonly SchemaEntry[] | undefined;
  #entries: readonly SchemaEntry[] | undefined;
  #schema: Introspection | undefined;
  #loaded = false;
  /** The major version: before 6, and since 11, errors have other words. */
  readonly major: number;

  /**
   * `load` returns the schema. It is called when it is first needed, because reading a schema takes longer than a fake emulator's start
   * may.
   */
  constructor(load: () => readonly SchemaEntry[] | undefined, major: number) {
    this.#load = load;
    this.major = major;
  }

  /**
   * Why QEMU would not run a request; undefined if it would, or if that is not known. `answered`: the test has a function for the command,
   * so it is known.
   */
  refusal({ command, arguments: args, id }: Request, answered: boolean): Refusal | undefined {
    const schema = this.#known();
    if (schema === undefined) return undefined;
    if (!schema.commands.has(command))
      return answered ? undefined : { class: "CommandNotFound", desc: `The command ${command} has not been found`, id };
    const mistake = mistakeIn(schema, this.major, command, args);
    return mistake === undefined ? undefined : { class: "GenericError", desc: mistake, id };
  }

  /** Whether the command may be sent out of band. */
  overtakes(command: string): boolean {
    const schema = this.#known();
    if (schema === undefined) return OUT_OF_BAND.includes(command);
    const entry = schema.commands.get(command);
    // An unknown command is refused for being unknown.
    return entry === undefined || entry["allow-oob"] === true;
  }

  /** The reply to query-qmp-schema, if that is what is asked and the schema is known. */
  introduce(command: string): Json | undefined {
    if (command !== "query-qmp-schema" || this.#known() === undefined) return undefined;
    return fromPlain(this.#entries);
  }

  #known(): Introspection | undefined {
    if (!this.#loaded) {
      this.#loaded = true;
      this.#entries = this.#load();
      this.#schema = this.#entries === undefined ? undefined : readIntrospection(this.#entries);
    }
    return this.#schema;
  }
}
