import { appended } from "./appended.ts";
import { type Edit, editJson } from "./edit.ts";
import { DEFAULT, SETTINGS, type Settings } from "./iothread-settings.ts";
import { JsonTextError } from "./json.ts";
import { isJson, itemsOf, keyOf, valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** An object that args make, `-object iothread,id=io0`. */
interface ObjectOption {
  readonly id: string;
  readonly option: Option;
  /** The position of its first word in args. */
  readonly at: number;
}

/** The iothreads that args make, in their order. */
export function iothreadsIn(args: readonly string[]): readonly ObjectOption[] {
  return objectsIn(args).filter(({ option }) => valuesOf(option, "qom-type").get("qom-type") === "iothread");
}

function objectsIn(args: readonly string[]): readonly ObjectOption[] {
  let at = 0;
  return splitOptions(args).flatMap((option): readonly ObjectOption[] => {
    const first = at;
    at += option.words.length;
    const id = option.name === "object" ? valuesOf(option, "qom-type").get("id") : undefined;
    return id === undefined ? [] : [{ id, option, at: first }];
  });
}

/** Another object of args with this id: ids are for one object each. */
export function otherObject(args: readonly string[], id: string): Option | undefined {
  const own = new Set(iothreadsIn(args).map(({ at }) => at));
  return objectsIn(args).find((each) => each.id === id && !own.has(each.at))?.option;
}

/** The options of args that use an iothread: `-device …,iothread=io0`, or a mapping of queues. */
export function usersOf(args: readonly string[], id: string): readonly Option[] {
  const uses = (option: Option): boolean =>
    option.value !== undefined && [...valuesOf(option, "driver")].some(([key, value]) => /(^|\.)iothread$/.test(key) && value === id);
  return splitOptions(args).filter((option) => option.name !== "" && uses(option));
}

/** What args set of an iothread; `default` for what they leave to QEMU. */
export function settingsIn({ option }: Pick<ObjectOption, "option">): Required<Settings> {
  const values = valuesOf(option, "qom-type");
  const known = SETTINGS.map((name) => [name, values.has(name) ? Number(values.get(name)) : DEFAULT] as const);
  return Object.fromEntries(known) as Required<Settings>;
}

/** The edits that add an iothread to a config's args. */
export function addIothread(args: readonly string[], id: string): readonly Edit[] {
  const words = ["-object", `iothread,id=${id}`];
  // There may be no such key yet.
  return appended(words, args);
}

/** The edits that take the words of an iothread out of a config's args. */
export function removeIothread(args: readonly string[], id: string): readonly Edit[] {
  const gone = iothreadsIn(args).filter((each) => each.id === id);
  // From behind, so that the other positions stay.
  return gone
    .toReversed()
    .flatMap(({ at, option }) =>
      option.words.map((_, word) => ({ path: ["args", String(at + option.words.length - 1 - word)], value: undefined })),
    );
}

/** The edits that set something of an iothread in a config's args; null for words that can't be edited. */
export function setIothread(args: readonly string[], id: string, settings: Settings): readonly Edit[] | null {
  const found = iothreadsIn(args).find((each) => each.id === id);
  if (found?.option.value === undefined) return null;
  const value = isJson(found.option.value) ? inJson(found.option.value, settings) : inItems(found.option.value, settings);
  return value === null ? null : [{ path: ["args", String(found.at + 1)], value }];
}

function inItems(text: string, settings: Settings): string {
  const others = itemsOf(text).filter((item) => settings[keyOf(item) as keyof Settings] === undefined);
  const set = SETTINGS.flatMap((name) => (typeof settings[name] === "number" ? [`${name}=${settings[name]}`] : []));
  return [...others, ...set].join(",");
}

/** QEMU takes single quotes too; such a text is left alone. */
function inJson(text: string, settings: Settings): string | null {
  const edits = SETTINGS.flatMap((name): readonly Edit[] => {
    const value = settings[name];
    return value === undefined ? [] : [{ path: [name], value: value === DEFAULT ? undefined : value }];
  });
  try {
    return editJson(text, edits);
  } catch (error) {
    if (error instanceof JsonTextError) return null;
    throw error;
  }
}

/** A config's args after edits of them. */
export function editedArgs(args: readonly string[], edits: readonly Edit[]): readonly string[] {
  let words = args;
  for (const { path, value } of edits) {
    const at = Number(path[1]);
    if (path.length === 1) words = value as readonly string[];
    else if (value === undefined) words = words.toSpliced(at, 1);
    else words = words.toSpliced(at, 1, String(value));
  }
  return words;
}
