import { controlMonitors } from "../monitors.ts";
import { valuesOf } from "../option-values.ts";
import type { Option } from "../options.ts";
import { adapt, type Adapted, withoutUsers, withValue } from "./adapt.ts";
import type { Around } from "./around.ts";

/** Leaves out the monitors that the owner made for itself. Others, which people added, stay. */
export function withoutOwnMonitors(options: readonly Option[], owner: string, isOwners: (path: string) => boolean): Adapted {
  const monitors = controlMonitors(options);
  const chardevs = new Map(
    [...monitors.keys()].filter(({ name }) => name === "chardev").map((option) => [valuesOf(option, "backend").get("id"), option]),
  );
  const isOwn = (chardev: Option | undefined): boolean => {
    if (chardev === undefined) return false;
    const values = valuesOf(chardev, "backend");
    return values.has("fd") || isOwners(values.get("path") ?? "");
  };
  return adapt(options, (option) => {
    const chardev = option.name === "chardev" ? option : chardevs.get(valuesOf(option, "chardev").get("chardev"));
    if (!monitors.has(option) || !isOwn(chardev)) return undefined;
    return { why: `it is ${owner}'s own monitor; start gives the machine monitors of its own` };
  });
}

/**
 * Takes care of the sockets in the owner's folders. Those at which QEMU listens are moved to the machine's own folder. Where it is a
 * client,
 * the owner started a program that listens: without that, what uses it can't be.
 */
export function withMovedSockets(options: readonly Option[], owner: string, isOwners: (path: string) => boolean, around: Around): Adapted {
  const gone: string[] = [];
  const adapted = adapt(options, (option) => {
    if (option.name !== "chardev") return undefined;
    const values = valuesOf(option, "backend");
    const [path = "", id = ""] = [values.get("path"), values.get("id")];
    if (values.get("backend") !== "socket" || (!values.has("fd") && !isOwners(path))) return undefined;
    if (!values.has("fd") && isOn(values.get("server")))
      return { now: withValue(option, "path", `${around.folder}/${id.replace(/[^\w.-]/g, "_")}.sock`), why: `its folder is ${owner}'s` };
    gone.push(id);
    return { why: `${owner} starts the program that listens there, or opens it for QEMU` };
  });
  return withoutUsers(adapted, gone, `it needs what is left out`);
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== "off" && value !== "no";
}
