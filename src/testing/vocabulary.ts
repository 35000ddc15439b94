import { readFile } from "node:fs/promises";
import { QmpctlError } from "../errors.ts";
import { type Introspection, readIntrospection } from "../schema/introspection.ts";
import { mistakeIn } from "./argument-check.ts";
import { fromPlain, type Json } from "./json-value.ts";
import type { Refusal, Request } from "./request.ts";

/** One entry of a reply to query-qmp-schema. */
export interface SchemaEntry {
  readonly name: string;
  readonly "meta-type": string;
}

/** The commands that may overtake others, in all versions from 5.2 to 11.1. Source: `allow-oob` of query-qmp-schema (R33). */
const OUT_OF_BAND: readonly string[] = ["migrate-recover", "migrate-pause", "yank", "query-yank"];

/** What a QEMU understands, by its own schema where there is one: then it refuses what it does not know, and arguments that it would not take. */
export class Vocabulary {
  readonly #entries: readonly SchemaEntry[] | undefined;
  readonly #schema: Introspection | undefined;
  /** The major version: errors are worded otherwise before 6, and since 11. */
  readonly major: number;

  constructor(entries: readonly SchemaEntry[] | undefined, major: number) {
    this.#entries = entries;
    this.#schema = entries === undefined ? undefined : readIntrospection(entries);
    this.major = major;
  }

  /** Why the machine would not even begin; undefined where it would, or where nobody can tell. */
  refusal({ command, arguments: args, id }: Request): Refusal | undefined {
    if (this.#schema === undefined) return undefined;
    if (!this.#schema.commands.has(command)) return { class: "CommandNotFound", desc: `The command ${command} has not been found`, id };
    const mistake = mistakeIn(this.#schema, this.major, command, args);
    return mistake === undefined ? undefined : { class: "GenericError", desc: mistake, id };
  }

  /** Whether the command may overtake others (R33). */
  overtakes(command: string): boolean {
    if (this.#schema === undefined) return OUT_OF_BAND.includes(command);
    const entry = this.#schema.commands.get(command);
    // One that is not known is refused for that.
    return entry === undefined || entry["allow-oob"] === true;
  }

  /** The reply to query-qmp-schema, where that is what is asked and it is known. */
  introduce(command: string): Json | undefined {
    return command === "query-qmp-schema" && this.#entries !== undefined ? fromPlain(this.#entries) : undefined;
  }
}

/** A recorded reply to query-qmp-schema: the entries themselves, or with them as its `schema`. Rejects with a QmpctlError (`config`) for another file. */
export async function readSchema(path: string): Promise<readonly SchemaEntry[]> {
  try {
    const content = JSON.parse(await readFile(path, "utf8")) as { readonly schema?: unknown };
    const entries = Array.isArray(content) ? content : content.schema;
    if (Array.isArray(entries)) return entries as readonly SchemaEntry[];
  } catch (cause) {
    throw new QmpctlError("config", `${path}: can't be read as a reply to query-qmp-schema`, { cause });
  }
  throw new QmpctlError("config", `${path}: no reply to query-qmp-schema`);
}
