import { escapeCommas, type Option, parseKeyValues } from "./options.ts";

/**
 * The mark of a machine of ours: an object on QEMU's command line that does nothing. `/proc` shows it to every session, QMP to every client
 * (`qom-list /objects`), and the guest sees nothing of it. Measured on QEMU 5.2, 7.2, 10.0 and 11.1.
 */
export interface Mark {
  /** The machine's id, a UUID: the key `id` of its config, or what stands for it there. */
  readonly id: string;
  /** The real path of the config that it was started from. */
  readonly path: string;
}

/** What a mark's object id begins with; the machine's id follows. */
export const MARK_PREFIX = "qmpctl-";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text can be a machine's id: a UUID in lower case. */
export function isMachineId(text: string): boolean {
  return UUID.test(text);
}

/** The words that put a mark on a command line. */
export function markWords({ id, path }: Mark): readonly string[] {
  return ["-object", `authz-simple,id=${MARK_PREFIX}${id},identity=${escapeCommas(path)}`];
}

/** The mark that a command line carries. */
export function markOf(options: readonly Option[]): Mark | undefined {
  for (const { name, value = "" } of options) {
    if (name !== "object") continue;
    const values = parseKeyValues(value, "qom-type");
    const id = idOfObject(values.get("id"));
    if (id !== undefined && values.get("qom-type") === "authz-simple") return { id, path: values.get("identity") ?? "" };
  }
  return undefined;
}

/** The machine's id in the name of its mark's object; undefined where it is no mark. */
export function idOfObject(name: string | undefined): string | undefined {
  const id = name?.startsWith(MARK_PREFIX) === true ? name.slice(MARK_PREFIX.length) : undefined;
  return id !== undefined && isMachineId(id) ? id : undefined;
}
