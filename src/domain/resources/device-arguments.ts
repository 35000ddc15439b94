import type { DeviceWords } from "../../config/device-words-text.ts";
import { deviceValues } from "../../config/device-words.ts";
import { isJson, itemsOf, keyOf } from "../../config/option-values.ts";
import type { Option } from "../../config/options.ts";
import { UsageError } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { parseJson } from "../../wire/json.ts";
import { orNull } from "../facts/answer.ts";

type Members = Record<string, unknown>;

/** Keys of block nodes and networks whose value is a text, though it may look like a number or a switch. */
const TEXT =
  /(^|\.)(driver|node-name|file|filename|backing|path|id|type|host|port|export|user|server|ifname|ifname|br|helper|script|downscript|fd|fds|vhostfd|vhostfds|hostname|domainname|bootfile|tftp|smb|mcast|udp|localaddr|sock|chardev|str|pool|image|conf|key-secret|throttle-group|locking|aio|discard|detect-zeroes|format)$/;
/** Keys whose values are lists of texts, one for each time that the key is given. */
const LISTS: ReadonlySet<string> = new Set(["hostfwd", "guestfwd", "dnssearch"]);

/** Types by the dotted key, as QEMU names them when it refuses another one. */
type Types = ReadonlyMap<string, string>;

/**
 * Sends the words of `-blockdev` or `-netdev` as the arguments of `blockdev-add` or `netdev_add`. The words have no types. What they can't
 * be seen to be is guessed; where QEMU says that a key has another type, it has done nothing yet, and gets that.
 *
 * @throws UsageError when they can't be read; what else `send` rejects with
 */
export async function sendBackend(option: Option, send: (members: Members) => Promise<unknown>): Promise<void> {
  await sendTyped((types) => backendArguments(option, types), send);
}

/** The arguments of `blockdev-add` or `netdev_add` from the words of the option. @throws UsageError when they can't be read */
export function backendArguments(option: Option, types: Types = new Map()): Members {
  const { value = "" } = option;
  if (isJson(value)) return jsonArguments(value);
  const members = none();
  for (const [key, text] of deviceValues(option)) {
    if (LISTS.has(key)) members[key] = textsOf(key, value).map((str) => ({ str }));
    else setAt(members, key.split("."), ofWords(types.get(key), key, text));
  }
  return listed(members) as Members;
}

/** Checks that the words of a device and of what it uses can be sent. @throws UsageError when they can't */
export function mustBeSendable({ device, backends }: Pick<DeviceWords, "device" | "backends">): void {
  for (const option of backends) if (option.name !== "drive") backendArguments(option);
  if (isJson(device.value ?? "")) jsonArguments(device.value ?? "");
}

/** Every value of a key that is given more than once. */
function textsOf(key: string, value: string): readonly string[] {
  return itemsOf(value)
    .filter((item) => keyOf(item) === key)
    .map((item) => item.slice(key.length + 1).replaceAll(",,", ","));
}

async function sendTyped(membersOf: (types: Types) => Members, send: (members: Members) => Promise<unknown>): Promise<void> {
  for (let types: Types = new Map(); ;) {
    try {
      return void (await send(membersOf(types)));
    } catch (error) {
      const [, key = "", type = ""] = (error instanceof CommandError && WRONG_TYPE.exec(error.desc)) || [];
      if (key === "" || types.has(key)) throw error;
      types = new Map([...types, [key, type]]);
    }
  }
}

/** How QEMU says that a value has the wrong type: 5.2 to 11.1. */
const WRONG_TYPE = /^(?:Invalid parameter type for|Parameter) '([^']+)',? expect(?:ed:|s) (string|integer|number|boolean|uint64)$/;

function ofWords(type: string | undefined, key: string, text: string): unknown {
  if (type === undefined) return TEXT.test(key) ? text : typed(text);
  return type === "string" ? text : type === "boolean" ? (SWITCHES.get(text) ?? SHORT_SWITCHES.get(text) ?? text) : sized(text);
}

/**
 * Sends the words of `-device` as `device_add`, with the types that QEMU gives the properties of the driver.
 *
 * @throws UsageError when they can't be read; the session's errors
 */
export async function sendDevice(option: Option, session: Session): Promise<void> {
  const send = (members: Members): Promise<unknown> => session.execute("device_add", members as never);
  if (isJson(option.value ?? "")) return void (await send(jsonArguments(option.value ?? "")));
  const values = deviceValues(option);
  const listed = (await orNull(session.execute("device-list-properties", { typename: values.get("driver") ?? "" }))) ?? [];
  const own = new Map(listed.map(({ name, type }) => [name, type]));
  const asked = (key: string, text: string, types: Types): unknown =>
    types.has(key) ? ofWords(types.get(key), key, text) : ofType(own.get(key), key, text);
  await sendTyped((types) => Object.fromEntries([...values].map(([key, text]) => [key, asked(key, text, types)])), send);
}

/** The address of a device is a text: as a number it would mean slot and function in one. */
function ofType(type: string | undefined, key: string, text: string): unknown {
  if (type === undefined || ["driver", "id", "bus", "addr"].includes(key)) return text;
  if (type === "bool") return SWITCHES.get(text) ?? text;
  return /^(u?int\d*|size|number)$/.test(type) ? sized(text) : text;
}

const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ["on", true],
  ["yes", true],
  ["true", true],
  ["off", false],
  ["no", false],
  ["false", false],
]);

const SHORT_SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ["y", true],
  ["n", false],
]);

/** A number as QEMU reads it in a property, a size with its unit in it. */
function sized(text: string): number | string {
  const [, number, unit = ""] = /^(0x[0-9a-f]{1,12}|-?\d{1,15})([kmgtpe]?)$/i.exec(text) ?? [];
  const size = Number(number) * 1024 ** (unit === "" ? 0 : "kmgtpe".indexOf(unit.toLowerCase()) + 1);
  return Number.isSafeInteger(size) ? size : text;
}

function typed(text: string): unknown {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return SWITCHES.get(text) ?? text;
}

/** An object that inherits nothing: a key may be called anything. */
function none(): Members {
  return Object.create(null) as Members;
}

/** Sets what a dotted key leads to. @throws UsageError where another key says that there is no object there */
function setAt(members: Members, [first = "", ...rest]: readonly string[], value: unknown): void {
  const there = members[first];
  if (there !== undefined && (typeof there === "object") === (rest.length === 0))
    throw new UsageError(`${first} is given as a value and with keys of its own`, { value: first, expected: "one of the two" });
  if (rest.length === 0) members[first] = value;
  else setAt((members[first] ??= none()) as Members, rest, value);
}

/** Objects whose keys are 0, 1, … are lists. */
function listed(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, listed(each)] as const);
  const isList = entries.length > 0 && entries.every(([key], position) => key === String(position));
  return isList ? entries.map(([, each]) => each) : Object.fromEntries(entries);
}

function jsonArguments(text: string): Members {
  try {
    return parseJson("device", text, true) as Members;
  } catch (cause) {
    throw new UsageError(`${text.slice(0, 60)}: not JSON`, { value: text, expected: "one JSON object, or key=value,…" }, { cause });
  }
}
