import { createHash } from "node:crypto";
import { UsageError } from "../errors.ts";
import { deviceValues, idOf } from "./device-words.ts";
import { isJson } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** One device with what is behind it, in QEMU's own words. */
export interface DeviceWords {
  readonly id: string;
  readonly driver: string;
  readonly device: Option;
  /** What it uses, in the order in which it is made: `-blockdev`, `-netdev`, `-drive`. */
  readonly backends: readonly Option[];
}

/** Options that make what a device uses. */
const BACKENDS: ReadonlySet<string> = new Set(["blockdev", "netdev", "drive"]);

/**
 * Reads the words of one device, as they stand on QEMU's command line.
 *
 * @throws UsageError when they are not one -device, with an id, and what it uses
 */
export function readDeviceWords(words: readonly string[]): DeviceWords {
  const options = splitOptions(words);
  const devices = options.filter(({ name }) => name === "device");
  const [device] = devices;
  const strange = options.find((option) => option !== device && !BACKENDS.has(option.name));
  if (strange !== undefined && strange.name !== "device")
    throw refusal(words, `${strange.words.join(" ")}: only -device, -blockdev, -netdev and -drive can be given`);
  if (device === undefined) throw refusal(words, "there is no -device");
  if (devices.length > 1) throw refusal(words, "more than one -device");
  if (options.some(({ value }) => value === undefined)) throw refusal(words, "a value is missing");
  if (words.some((word) => /[\x00-\x1f\x7f-\x9f]/.test(word))) throw refusal(words, "control characters");
  const values = deviceValues(device);
  const [id, driver] = [values.get("id"), values.get("driver")];
  if (driver === undefined) throw refusal(words, "-device has no driver");
  if (id === undefined || !/^[A-Za-z][\w.-]*$/.test(id))
    throw refusal(words, `-device needs an id: letters, digits, - . and _, as id=${idFor(words)}`);
  return { id, driver, device, backends: options.filter((option) => option !== device) };
}

/** The words of a device in their order: what it uses first. */
export function wordsOf({ device, backends }: Pick<DeviceWords, "device" | "backends">): readonly string[] {
  return [...backends, device].flatMap(({ name, value = "" }) => [`-${name}`, value]);
}

/** The words with an id for the device, if it has none: the same words always get the same. */
export function withId(words: readonly string[]): readonly string[] {
  return splitOptions(words).flatMap((option) => {
    const { name, value } = option;
    if (name !== "device" || value === undefined || idOf(option) !== undefined) return option.words;
    const id = idFor(words);
    return [option.words[0] ?? "", isJson(value) ? value.replace(/\}\s*$/, `, "id": "${id}"}`) : `${value},id=${id}`];
  });
}

function idFor(words: readonly string[]): string {
  const driver = splitOptions(words)
    .filter(({ name }) => name === "device")
    .map((option) => deviceValues(option).get("driver") ?? "")[0];
  const base = /^[A-Za-z][\w.-]*$/.test(driver ?? "") ? driver : "device";
  return `${base}-${createHash("sha256").update(words.join("\0")).digest("hex").slice(0, 4)}`;
}

/** The device of that id in a command line, with what only it uses; undefined where there is none. */
export function deviceInArgs(id: string, args: readonly string[]): DeviceWords | undefined {
  const options = splitOptions(args);
  const device = options.find((option) => option.name === "device" && idOf(option) === id);
  if (device === undefined) return undefined;
  const mine = new Set<Option>([device]);
  // What another option uses too stays.
  const usersOf = (what: string): readonly Option[] => options.filter((option) => usedBy(option).has(what));
  for (let grown = true; grown;) {
    grown = false;
    for (const option of options) {
      const name = BACKENDS.has(option.name) && !mine.has(option) ? idOf(option) : undefined;
      if (name === undefined) continue;
      const users = usersOf(reference(option.name === "netdev", name));
      if (users.length === 0 || !users.every((user) => mine.has(user))) continue;
      mine.add(option);
      grown = true;
    }
  }
  const backends = options.filter((option) => option !== device && mine.has(option));
  return { id, driver: deviceValues(device).get("driver") ?? "", device, backends };
}

/** What an option refers to. */
function usedBy(option: Option): ReadonlySet<string> {
  const keys = option.name === "device" ? /^(drive|netdev)$/ : option.name === "blockdev" ? /(^|\.)(file|backing|data-file)$/ : /^$/;
  return new Set([...deviceValues(option)].flatMap(([key, value]) => (keys.test(key) ? [reference(key === "netdev", value)] : [])));
}

/** An id with what it names: a network backend may have the name of a disk. */
function reference(isNetwork: boolean, id: string): string {
  return `${isNetwork ? "netdev" : "disk"} ${id}`;
}

/** The devices of a command line that have an id, in its order. */
export function devicesInArgs(args: readonly string[]): readonly { readonly id: string; readonly driver: string }[] {
  return splitOptions(args).flatMap((option) => {
    const id = option.name === "device" ? idOf(option) : undefined;
    return id === undefined ? [] : [{ id, driver: deviceValues(option).get("driver") ?? "" }];
  });
}

/** The ids of the devices that stand on a bus of that device. */
export function devicesOn(id: string, args: readonly string[]): readonly string[] {
  return splitOptions(args).flatMap((option) => {
    const bus = option.name === "device" ? deviceValues(option).get("bus") : undefined;
    return bus === id || bus?.startsWith(`${id}.`) === true ? [idOf(option) ?? `a ${deviceValues(option).get("driver")}`] : [];
  });
}

/** Where these options stand in a command line: the positions of all of their words, from the last to the first. */
export function positionsOf(wanted: readonly Option[], args: readonly string[]): readonly number[] {
  const texts = new Set(wanted.map(({ words }) => words.join("\0")));
  let at = 0;
  return splitOptions(args)
    .flatMap(({ words }) => {
      const first = at;
      at += words.length;
      return texts.has(words.join("\0")) ? words.map((_, offset) => first + offset) : [];
    })
    .reverse();
}

function refusal(words: readonly string[], why: string): UsageError {
  return new UsageError(`device ${JSON.stringify(words.join(" ").slice(0, 80))}: ${why}`, {
    value: words,
    expected: "-device DRIVER,id=ID and what it uses, as -blockdev DRIVER,node-name=NAME or -netdev TYPE,id=NAME",
  });
}
