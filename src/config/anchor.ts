import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type JsonNode, JsonTextError, parseJson } from "./json.ts";
import { escapeCommas, type Option, parseKeyValues, splitOptions } from "./options.ts";
import { firstKey, keyKind, type PathKind, wholeKind } from "./path-keys.ts";

/** A command line with absolute paths, and the relative paths that it had. */
export interface Anchored {
  readonly argv: readonly string[];
  readonly relative: readonly string[];
}

/**
 * Makes the paths of a QEMU command line (its emulator first) absolute, relative to a folder, because a launch config is used from
 * anywhere. Everything else stays as it is, word for word. `folder` must be a real path, as the kernel reports it.
 */
export function anchor(argv: readonly string[], folder: string): Anchored {
  const relative: string[] = [];
  const absolute: Absolute = (path) => {
    if (path === "" || path.startsWith("/")) return path;
    relative.push(path);
    return fromFolder(folder, path);
  };
  absolute.isThere = (path) => existsSync(fromFolder(folder, path));
  const [emulator = "", ...words] = argv;
  const program = emulator.includes("/") ? absolute(emulator) : emulator;
  const options = splitOptions(words).flatMap((option) => anchored(option, absolute));
  return { argv: [program, ...options], relative };
}

/**
 * A path relative to a folder, as the kernel follows it. Only `..` at the beginning is resolved here: a later one may follow a link, and
 * only the kernel knows where that leads.
 */
export function fromFolder(folder: string, path: string): string {
  const [, up = "", rest = ""] = /^((?:\.\.?(?:\/+|$))*)(.*)$/s.exec(path) ?? [];
  const base = up.split("/").reduce((at, part) => (part === ".." ? dirname(at) : at), folder);
  return rest === "" ? base : `${base === "/" ? "" : base}/${rest}`;
}

interface Absolute {
  (path: string): string;
  isThere?: (path: string) => boolean;
}

function anchored({ name, words, value }: Option, absolute: Absolute): readonly string[] {
  const [word = ""] = words;
  if (name === "") return [turned("image", word, absolute)];
  if (value === undefined) return words;
  // `-` is QEMU's own stdout.
  if (name === "writeconfig" && value === "-") return words;
  const whole = wholeKind(name);
  if (whole !== undefined) return [word, turned(whole, value, absolute)];
  if (value.trimStart().startsWith("{")) return [word, inJson(name, value, absolute)];
  if (name === "set" || name === "global") return [word, inAssignment(name, value, absolute)];
  return [word, inPairs(name, value, absolute)];
}

/** `-set GROUP.ID.KEY=VALUE` and `-global DRIVER.KEY=VALUE`: the value is not escaped. */
function inAssignment(option: string, text: string, absolute: Absolute): string {
  const [, head = "", group = "", key = "", value = ""] =
    (option === "set" ? /^(([^.=]+)\.[^.=]+\.([^=]+)=)(.*)$/s : /^(([^.=,]+)\.([^=,]+)=)(.*)$/s).exec(text) ?? [];
  const kind = option === "set" ? keyKind(group, key, new Map()) : keyKind("device", key, new Map([["driver", group]]));
  return head === "" || kind === undefined ? text : head + turned(kind, value, absolute);
}

/** `KEY=VALUE,KEY=VALUE`; a doubled comma is a comma of the value. */
function inPairs(option: string, text: string, absolute: Absolute): string {
  const first = firstKey(option);
  const values = parseKeyValues(text, first);
  const items = text.replaceAll(",,", "\0").split(",");
  const changed = items.map((item, position) => {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/s.exec(item) ?? (position === 0 ? ["", first, item] : []);
    const kind = key === "" ? undefined : keyKind(option, key, values);
    if (kind === undefined) return item;
    const plain = value.replaceAll("\0", ",");
    const path = turned(kind, plain, absolute);
    return path === plain ? item : item.slice(0, item.length - value.length) + escapeCommas(path);
  });
  return changed.join(",").replaceAll("\0", ",,");
}

/** QEMU accepts JSON for most options that have keys. JSON that QEMU reads and we can't (single quotes) is left as it is. */
function inJson(option: string, text: string, absolute: Absolute): string {
  const leaves: Leaf[] = [];
  try {
    leavesOf(parseJson(text), [], leaves);
  } catch (error) {
    if (error instanceof JsonTextError) return text;
    throw error;
  }
  const values = new Map(leaves.map(({ key, value }) => [key, value]));
  return leaves.reduceRight((so_far, { key, value, start, end }) => {
    const kind = keyKind(option, key, values);
    // This can be the name of a node; and in JSON an image is never named by a protocol.
    if (kind === undefined || kind === "image") return so_far;
    const path = turned(kind, value, absolute);
    return path === value ? so_far : so_far.slice(0, start) + JSON.stringify(path) + so_far.slice(end);
  }, text);
}

interface Leaf {
  readonly key: string;
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

function leavesOf(node: JsonNode, path: readonly string[], leaves: Leaf[]): void {
  if (node.kind === "object") for (const { key, value } of node.members) leavesOf(value, [...path, key], leaves);
  else if (node.kind === "array") node.items.forEach((item, position) => leavesOf(item, [...path, String(position)], leaves));
  else if (typeof node.value === "string") leaves.push({ key: path.join("."), value: node.value, start: node.start, end: node.end });
  else if (node.value === true) leaves.push({ key: path.join("."), value: "on", start: node.start, end: node.end });
}

function turned(kind: PathKind, value: string, absolute: Absolute): string {
  return KINDS[kind](value, absolute);
}

const KINDS: Readonly<Record<PathKind, (value: string, absolute: Absolute) => string>> = {
  file: (value, absolute) => (value === "help" ? value : absolute(value)),
  searched: (value, absolute) => (value.startsWith("/") || absolute.isThere?.(value) !== true ? value : absolute(value)),
  image: imagePath,
  files: (value, absolute) => value.split(":").map(absolute).join(":"),
  script: (value, absolute) => (value === "no" ? value : absolute(value)),
  helper: (value, absolute) => (/\s/.test(value) ? value : absolute(value)),
  device: devicePath,
  peer: (value, absolute) => behind(value, /^(unix:|file:)/, absolute),
};

/**
 * Protocols that contain a path: what comes before it, the path, and perhaps a third part, which stays. Other protocols name nothing on
 * this host.
 */
const PROTOCOLS: readonly RegExp[] = [
  /^(file:)(.*)$/s,
  /^(fat:(?:.*:)?)([^:]*)$/s,
  /^(nbd:unix:)([^:]*)(.*)$/s,
  /^(nbd\+unix:.*[?&]socket=)([^&]*)(.*)$/s,
];

/** QEMU takes a colon before the first slash as the end of a protocol's name. */
function imagePath(value: string, absolute: Absolute): string {
  if (!/^[^/]*:/.test(value)) return absolute(value);
  if (value.startsWith("json:")) return `json:${inJson("blockdev", value.slice("json:".length), absolute)}`;
  const [, debug, config = "", image = ""] = /^(blkdebug|blkverify):([^:]*):(.*)$/s.exec(value) ?? [];
  if (debug !== undefined) return `${debug}:${absolute(config)}:${imagePath(image, absolute)}`;
  const [, head = "", path = "", tail = ""] = PROTOCOLS.map((form) => form.exec(value)).find((match) => match !== null) ?? [];
  return head === "" ? value : head + absolute(path) + tail;
}

/** After `file:` and `pipe:` everything is the path, commas too. */
function devicePath(value: string, absolute: Absolute): string {
  if (value.startsWith("mon:")) return `mon:${devicePath(value.slice("mon:".length), absolute)}`;
  const [, head = "", path = ""] = /^(file:|pipe:|pty:)(.*)$/s.exec(value) ?? [];
  return head === "" ? behind(value, /^unix:/, absolute) : head + absolute(path);
}

/** A path after a word, up to a comma that is not doubled. */
function behind(value: string, word: RegExp, absolute: Absolute): string {
  const head = word.exec(value)?.[0];
  if (head === undefined) return value;
  const [, path = "", rest = ""] = /^((?:[^,]|,,)*)(.*)$/s.exec(value.slice(head.length)) ?? [];
  return head + escapeCommas(absolute(path.replaceAll(",,", ","))) + rest;
}
