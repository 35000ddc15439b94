import type { Given, Member, Type } from "./schema.ts";
import { Schema } from "./schema.ts";
import type { Types } from "./typed.ts";

/** Asks QEMU for help with typing. `undefined` if it does not know, or does not answer soon. */
export type Ask = (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** What this QEMU accepts: its schema, and the properties of each device, because the schema knows almost nothing about `device_add`. */
export class Knowledge {
  readonly #ask: Ask;
  #schema: Promise<Schema | undefined> | undefined;
  readonly #devices = new Map<string, Promise<readonly Member[]>>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Asks once. `undefined` if QEMU has no schema. */
  schema(): Promise<Schema | undefined> {
    return (this.#schema ??= this.#ask("query-qmp-schema").then((reply) =>
      Array.isArray(reply) ? new Schema(reply as ConstructorParameters<typeof Schema>[0]) : undefined,
    ));
  }

  /** The members that an argument of a command may have. With an empty path: the arguments of the command. */
  async members(command: string, path: readonly string[], given: Given): Promise<readonly Member[]> {
    const schema = await this.schema();
    const members = schema?.members("command", command, path, given) ?? [];
    if (command !== "device_add" || path.length > 0) return members;
    const known = new Set(members.map(({ name }) => name));
    return [...members, ...(await this.#propertiesOf(given("driver"))).filter(({ name }) => !known.has(name))];
  }

  /** The types of a command's arguments, as far as we know them. */
  async types(command: string, given: Given): Promise<Types> {
    const schema = await this.schema();
    const devices = command === "device_add" ? await this.#propertiesOf(given("driver")) : [];
    return {
      typeAt: (path) => schema?.typeAt(command, path, given) ?? devices.find(({ name }) => name === path.join("."))?.type,
      type: (name) => schema?.type(name) ?? { kind: "any" },
    };
  }

  #propertiesOf(driver: string | undefined): Promise<readonly Member[]> {
    if (driver === undefined) return Promise.resolve([]);
    const known = this.#devices.get(driver);
    if (known !== undefined) return known;
    const asked = this.#ask("device-list-properties", { typename: driver }).then((reply) =>
      Array.isArray(reply) ? reply.map(propertyOf) : [],
    );
    this.#devices.set(driver, asked);
    return asked;
  }
}

function propertyOf(property: { readonly name: string; readonly type: string }): Member {
  return { name: property.name, type: typeOfProperty(property.type), optional: true, features: [] };
}

/** QOM's names for types. A value of any other type goes to QEMU's parser as it is. */
function typeOfProperty(name: string): Type {
  if (name === "bool") return { kind: "boolean" };
  if (name === "str" || name.startsWith("link<")) return { kind: "string" };
  if (name === "OnOffAuto") return { kind: "enum", values: ["auto", "on", "off"] };
  return /^(u?int\d*|size)$/.test(name) ? { kind: "integer" } : { kind: "any" };
}
