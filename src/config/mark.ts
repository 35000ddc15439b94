import { escapeCommas, type Option, parseKeyValues } from "./options.ts";

/**
 * The mark of a machine of ours: an object on QEMU's command line that does nothing. Every session can see it in `/proc`, and every QMP
 * client in `qom-list /objects`; the guest can't see it. Measured on QEMU 5.2, 7.2, 10.0 and 11.1.
 */
export interface Mark {
  /** The machine's id, a UUID: the key `id` of its config, or an id made from its path if there is no such key. */
  readonly id: string;
  /** The real path of the config that it was started from. */
  readonly path: string;
}

/** The beginning of a mark's object id; the machine's id follows. */
export const MARK_PREFIX = "qmpctl-";

/** A UUID in lower case. */
export const UUID: RegExp = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text can be a machine's id: a UUID in lower case. */
export function isMachineId(text: string): boolean {
  return UUID.test(text);
}

/** The words that add a mark to a command line. */
export function markWords({ id, path }: Mark): readonly string[] {
  return ["-object", `authz-simple,id=${MARK_PREFIX}${id},identity=${escapeCommas(path)}`];
}

/** The mark on a command line; undefined if there is none. */
export function markOf(options: readonly Option[]): Mark | undefined {
  for (const { name, value = "" } of options) {
    if (name !== "object") continue;
    const values = parseKeyValues(value, "qom-type");
    const id = idOfObject(values.get("id"));
    if (id !== undefined && values.get("qom-type") === "authz-simple") return { id, path: values.get("identity") ?? "" };
  }
  return undefined;
}

/** The machine's id in the name of an object; undefined if the object is no mark. */
export function idOfObject(name: string | undefined): string | undefined {
  const id = name?.startsWith(MARK_PREFIX) === true ? name.slice(MARK_PREFIX.length) : undefined;
  return id !== undefined && isMachineId(id) ? id : undefined;
}
