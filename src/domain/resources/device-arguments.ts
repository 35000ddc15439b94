import { deviceValues } from "../../config/device-words.ts";
import { isJson } from "../../config/option-values.ts";
import type { Option } from "../../config/options.ts";
import { UsageError } from "../../errors.ts";
import type { Session } from "../../qmp/session.ts";
import { parseJson } from "../../wire/json.ts";
import { orNull } from "../facts/answer.ts";

type Members = Record<string, unknown>;

/** Keys of block nodes and networks whose value is a text, though it may look like a number or a switch. */
const TEXT =
  /(^|\.)(driver|node-name|file|filename|backing|path|id|type|host|port|export|user|server|ifname|ifname|br|helper|script|downscript|fd|fds|vhostfd|vhostfds|hostname|domainname|bootfile|tftp|smb|mcast|udp|localaddr|sock|chardev|str|pool|image|conf|key-secret|throttle-group|locking|aio|discard|detect-zeroes|format)$/;
/** Keys whose values are lists of texts, one for each time that the key is given. */
const LISTS: ReadonlySet<string> = new Set(["hostfwd", "guestfwd", "dnssearch"]);

/** The arguments of `blockdev-add` or `netdev_add` from the words of the option. @throws UsageError when they can't be read */
export function backendArguments(option: Option): Members {
  const { value = "" } = option;
  if (isJson(value)) return jsonArguments(value);
  const members: Members = {};
  for (const [key, text] of deviceValues(option)) {
    if (LISTS.has(key)) members[key] = [{ str: text }];
    else setAt(members, key.split("."), TEXT.test(key) ? text : typed(text));
  }
  return listed(members) as Members;
}

/**
 * The arguments of `device_add`, with the types that QEMU gives the properties of the driver. @throws UsageError when they can't be read
 */
export async function deviceArguments(option: Option, session: Session): Promise<Members> {
  const { value = "" } = option;
  if (isJson(value)) return jsonArguments(value);
  const values = deviceValues(option);
  const listed = (await orNull(session.execute("device-list-properties", { typename: values.get("driver") ?? "" }))) ?? [];
  const types = new Map(listed.map(({ name, type }) => [name, type]));
  return Object.fromEntries([...values].map(([key, text]) => [key, ofType(types.get(key), key, text)]));
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

/** A number as QEMU reads it in a property, a size with its unit in it. */
function sized(text: string): number | string {
  const [, number, unit = ""] = /^(0x[0-9a-f]{1,12}|\d{1,15})([kmgt]?)$/i.exec(text) ?? [];
  return number === undefined ? text : Number(number) * 1024 ** (unit === "" ? 0 : "kmgt".indexOf(unit.toLowerCase()) + 1);
}

function typed(text: string): unknown {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return SWITCHES.get(text) ?? text;
}

function setAt(members: Members, [first = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) members[first] = value;
  else setAt((members[first] ??= {}) as Members, rest, value);
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
