import { deviceValues, idOf } from "./device-words.ts";
import { type DriveInArgs, fileBeneath, mediumInArgs, type Placed, placedOptions } from "./drive-words.ts";
import { type Edit, editJson } from "./edit.ts";
import { editedArgs } from "./iothread-words.ts";
import { JsonTextError } from "./json.ts";
import { parseJson, valueOf } from "./json.ts";
import type { Medium } from "./medium.ts";
import { formatOf } from "./medium.ts";
import { isJson, itemsOf, keyOf } from "./option-values.ts";
import { escapeCommas } from "./options.ts";

/** The drives that are one option with their file, in words that can do without: `-cdrom FILE`. */
const SHORT: Readonly<Record<string, string>> = {
  cdrom: "index=2,media=cdrom",
  fda: "if=floppy,index=0",
  fdb: "if=floppy,index=1",
};

/** The edits of args that put a medium into a drive, or take it out (null); a text says why its words can't be changed. */
export function mediumEdits(drive: DriveInArgs, args: readonly string[], medium: Medium | null): readonly Edit[] | string {
  const { holder } = drive;
  const found = mediumInArgs(drive, args);
  if ("other" in found && holder?.option.name !== "blockdev") return `what is in it is no file: ${found.other}`;
  if (holder === null) return medium === null ? [] : added(drive, args, medium);
  const short = SHORT[holder.option.name];
  if (short !== undefined) return inShort(holder, short, medium);
  if (holder.option.name === "drive") return inDrive(holder, medium);
  if (medium === null) return removed(drive, args);
  return "other" in found || !medium.file.startsWith("/") ? anew(drive, args, medium) : replaced(holder, args, medium);
}

function replacing({ at }: Placed, offset: number, value: unknown): Edit {
  return { path: ["args", String(at + offset)], value };
}

function inShort(holder: Placed, words: string, medium: Medium | null): readonly Edit[] {
  // It has no format of its own: QEMU looks into the file.
  if (medium !== null && medium.format === formatOf(medium.file)) return [replacing(holder, 1, medium.file)];
  const items = medium === null ? [] : [`file=${escapeCommas(medium.file)}`, `format=${medium.format}`];
  return [replacing(holder, 0, "-drive"), replacing(holder, 1, [words, ...items].join(","))];
}

function inDrive(holder: Placed, medium: Medium | null): readonly Edit[] {
  const others = itemsOf(holder.option.value ?? "").filter((item) => !/^(file|format|driver|file\..*)$/.test(keyOf(item)));
  const items = medium === null ? [] : [`file=${escapeCommas(medium.file)}`, `format=${medium.format}`];
  return [replacing(holder, 1, [...others, ...items].join(","))];
}

/** A node of its own, where what is there is no file. */
function anew(drive: DriveInArgs, args: readonly string[], medium: Medium): readonly Edit[] | string {
  const out = removed(drive, args);
  if (typeof out === "string" || drive.device === null) return out;
  const left = editedArgs(args, out);
  const [device] = placedOptions(left).filter(({ option }) => option.name === "device" && idOf(option) === drive.name);
  if (device === undefined) return "its device has no id";
  const into = added({ ...drive, device, holder: null }, left, medium);
  return typeof into === "string" ? into : [...out, ...into];
}

/** Another file in the words of the nodes that are there; a node of another format keeps its name and what else is said of it. */
function replaced(holder: Placed, args: readonly string[], medium: Medium): readonly Edit[] | string {
  const found = fileBeneath(holder, args);
  if (found === null) return "its words are no format on a file";
  const file = withValues(found.at, { [found.key]: medium.file });
  if (file === null) return NO_JSON;
  if (found.format === medium.format) return [replacing(found.at, 1, file)];
  if (deviceValues(holder.option).get("driver") === "file") return `its node ${idOf(holder.option) ?? ""} is the file itself, so it is raw`;
  const values = { driver: medium.format, ...(found.at.at === holder.at ? { [found.key]: medium.file } : {}) };
  const top = withValues(holder, values);
  if (top === null) return NO_JSON;
  return found.at.at === holder.at ? [replacing(holder, 1, top)] : [replacing(found.at, 1, file), replacing(holder, 1, top)];
}

const NO_JSON = "its words are JSON in QEMU's own notation, which is not edited";

/** Takes the nodes out that only this drive uses, and its device's word for them. */
function removed({ device, holder }: DriveInArgs, args: readonly string[]): readonly Edit[] | string {
  if (device === null || holder === null) return "a node without a device is in no drive";
  const empty = withoutDrive(device);
  if (empty === null) return NO_JSON;
  const placed = placedOptions(args);
  const nodes = fileBeneath(holder, args)?.nodes ?? [holder];
  const gone = nodes.filter((node) => {
    const name = idOf(node.option);
    const users = placed.filter(({ option }) => [...deviceValues(option)].some(([key, value]) => isUse(key) && value === name));
    return users.every((user) => user.at === device.at || nodes.some((other) => other.at === user.at));
  });
  const positions = gone.flatMap(({ at }) => [at, at + 1]).toSorted((one, other) => other - one);
  return [replacing(device, 1, empty), ...positions.map((at): Edit => ({ path: ["args", String(at)], value: undefined }))];
}

/** Whether a key of an option refers to a node. */
function isUse(key: string): boolean {
  return /(^|\.)(drive|file|backing|data-file|source|target|node-name)$/.test(key) && key !== "node-name";
}

function withoutDrive({ option: { value = "" } }: Placed): string | null {
  if (isJson(value)) return edited(value, [{ path: ["drive"], value: undefined }]);
  return itemsOf(value)
    .filter((item) => keyOf(item) !== "drive")
    .join(",");
}

/** A node for a drive that has none in args. */
function added({ device, name, isFloppy }: DriveInArgs, args: readonly string[], medium: Medium): readonly Edit[] | string {
  if (device === null) return "it has no device";
  if (!medium.file.startsWith("/")) return `${medium.file} is no file, and a node for it is not written`;
  const { value = "" } = device.option;
  const node = freeName(name, args);
  const own = isJson(value) ? edited(value, [{ path: ["drive"], value: node }]) : `${value},drive=${node}`;
  if (own === null) return NO_JSON;
  const only = isFloppy ? "" : ",read-only=on";
  const words = `driver=${medium.format},node-name=${node}${only},file.driver=file,file.filename=${escapeCommas(medium.file)}`;
  return [
    replacing(device, 1, own),
    { path: ["args", String(args.length)], value: "-blockdev" },
    { path: ["args", String(args.length + 1)], value: words },
  ];
}

/** The name of a node that no other option has: QEMU takes 31 characters. */
function freeName(drive: string, args: readonly string[]): string {
  const taken = new Set(placedOptions(args).map(({ option }) => idOf(option)));
  const base = `${drive.replaceAll(/[^\w.-]/g, "-").slice(0, 20)}-medium`;
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}${number}`;
    if (!taken.has(name)) return name;
  }
}

/** The value of an option with other values at these keys; null for JSON that can't be edited. */
function withValues({ option: { value = "" } }: Placed, values: Readonly<Record<string, string>>): string | null {
  if (!isJson(value)) {
    const left = new Map(Object.entries(values));
    const items = itemsOf(value).map((item, position) => {
      const key = keyOf(item) === "" && position === 0 ? "driver" : keyOf(item);
      const wanted = left.get(key);
      left.delete(key);
      return wanted === undefined ? item : `${key}=${escapeCommas(wanted)}`;
    });
    return [...items, ...[...left].map(([key, each]) => `${key}=${escapeCommas(each)}`)].join(",");
  }
  const whole = readObject(value);
  if (whole === null) return null;
  return edited(
    value,
    Object.entries(values).map(([key, each]) => ({ path: Object.hasOwn(whole, key) ? [key] : key.split("."), value: each })),
  );
}

function readObject(json: string): object | null {
  try {
    return valueOf(parseJson(json)) as object;
  } catch (error) {
    if (error instanceof JsonTextError) return null;
    throw error;
  }
}

/** QEMU takes single quotes too; such a text is left alone. */
function edited(json: string, edits: readonly Edit[]): string | null {
  try {
    return editJson(json, edits);
  } catch (error) {
    if (error instanceof JsonTextError) return null;
    throw error;
  }
}
