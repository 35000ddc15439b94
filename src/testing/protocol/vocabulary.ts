import { type Introspection, readIntrospection } from "../../schema/introspection.ts";
import { fromPlain, type Json } from "../json/json-value.ts";
import { mistakeIn } from "./argument-check.ts";
import type { Refusal, Request } from "./request.ts";

/** One entry of a reply to query-qmp-schema. */
export interface SchemaEntry {
  readonly name: string;
  readonly "meta-type": string;
}

/** The commands that may overtake others, in all versions from 5.2 to 11.1. Source: `allow-oob` of query-qmp-schema. */
const OUT_OF_BAND: readonly string[] = ["migrate-recover", "migrate-pause", "yank", "query-yank"];

/**
 * What a QEMU understands, by its own schema where there is one: then it refuses what it does not know, and arguments that it would not
 * take.
 */
export class Vocabulary {
  readonly #load: () => readonly SchemaEntry[] | undefined;
  #entries: readonly SchemaEntry[] | undefined;
  #schema: Introspection | undefined;
  #loaded = false;
  /** The major version: errors are worded otherwise before 6, and since 11. */
  readonly major: number;

  /** `load` gives the schema, and is called when it is first needed: reading one takes longer than a fake emulator's start may. */
  constructor(load: () => readonly SchemaEntry[] | undefined, major: number) {
    this.#load = load;
    this.major = major;
  }

  /**
   * Why the machine would not even begin; undefined where it would, or where nobody can tell. `answered`: a test has code for it, so that
   * it is known.
   */
  refusal({ command, arguments: args, id }: Request, answered: boolean): Refusal | undefined {
    const schema = this.#known();
    if (schema === undefined) return undefined;
    if (!schema.commands.has(command))
      return answered ? undefined : { class: "CommandNotFound", desc: `The command ${command} has not been found`, id };
    const mistake = mistakeIn(schema, this.major, command, args);
    return mistake === undefined ? undefined : { class: "GenericError", desc: mistake, id };
  }

  /** Whether the command may overtake others. */
  overtakes(command: string): boolean {
    const schema = this.#known();
    if (schema === undefined) return OUT_OF_BAND.includes(command);
    const entry = schema.commands.get(command);
    // One that is not known is refused for that.
    return entry === undefined || entry["allow-oob"] === true;
  }

  /** The reply to query-qmp-schema, where that is what is asked and it is known. */
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
