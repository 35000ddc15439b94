import { parseJson } from "../json/json-input.ts";
import { canonical, type Json, type JsonObject } from "../json/json-value.ts";

/** The id of a message in canonical form; empty if there is none. */
export function idOf(message: JsonObject): string {
  const id = message.get("id");
  return id === undefined ? "" : canonical(id);
}

/** Only the names of the members and the id of a long reply: parsing everything exactly would slow down the fake's start. */
export function outline(text: string): JsonObject {
  const parsed = JSON.parse(text) as Record<string, unknown>;
  const id = parsed["id"];
  const members = Object.keys(parsed).map((key): [string, Json] => [key, null]);
  return new Map([...members, ...(id === undefined ? [] : [["id", parseJson(JSON.stringify(id))] as const])]);
}
