import { type Option, parseKeyValues } from "./options.ts";

/**
 * QMP monitors that use a character device of their own (`-mon …,mode=control`, `-qmp chardev:ID`), and the devices that only they use,
 * each with the path of its Unix socket, if it has one. A device that something else uses too stays, with its socket.
 */
export function controlMonitors(options: readonly Option[]): ReadonlyMap<Option, string | undefined> {
  const found = new Map<Option, string | undefined>();
  for (const monitor of options) {
    const id = controlledDevice(monitor);
    if (id === undefined) continue;
    const device = options.find(({ name, value = "" }) => name === "chardev" && parseKeyValues(value, "backend").get("id") === id);
    const isShared = options.some(
      (each) =>
        each !== monitor &&
        each !== device &&
        new RegExp(`chardev["']?\\s*[:=]\\s*["']?${escapeRegExp(id)}(["',]|$)`).test(each.value ?? ""),
    );
    const socket = device === undefined || isShared ? undefined : readSocket(device.value ?? "");
    found.set(monitor, socket);
    if (device !== undefined && !isShared) found.set(device, socket);
  }
  return found;
}

/** The id of the character device that an option puts a QMP monitor on. */
function controlledDevice({ name, value = "" }: Option): string | undefined {
  if (name === "qmp" || name === "qmp-pretty") return /^chardev:(.+)$/s.exec(value)?.[1];
  const values = name === "mon" ? parseKeyValues(value, "chardev") : undefined;
  return values?.get("mode") === "control" ? values.get("chardev") : undefined;
}

/** The path of a Unix socket that QEMU listens on, from `unix:PATH,server=on` or `socket,path=PATH,server=on`. */
export function readSocket(value: string): string | undefined {
  const values = parseKeyValues(value.replace(/^unix:/, "path="), "backend");
  const path = values.get("path");
  const listens = ["on", "yes", "true", "y"].includes(values.get("server") ?? "off");
  return listens && path?.startsWith("/") === true ? path : undefined;
}

function escapeRegExp(text: string): string {
  return text.replace(/[^\w]/g, "\\$&");
}

/** A place where QEMU listens for QMP clients. */
export type Listening =
  { readonly kind: "unix"; readonly path: string } | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** Where the QMP monitors of a command line listen, in its order. */
export function listeningMonitors(options: readonly Option[]): readonly Listening[] {
  const chardevs = new Map(
    options.filter(({ name }) => name === "chardev").map(({ value = "" }) => [parseKeyValues(value, "backend").get("id") ?? "", value]),
  );
  return options.flatMap(({ name, value = "" }) => {
    if (name === "qmp" || name === "qmp-pretty")
      return listening(value.startsWith("chardev:") ? (chardevs.get(value.slice("chardev:".length)) ?? "") : value);
    if (name !== "mon") return [];
    const values = parseKeyValues(value, "chardev");
    return values.get("mode") === "control" ? listening(chardevs.get(values.get("chardev") ?? "") ?? "") : [];
  });
}

/** `unix:PATH,server=on`, `tcp:HOST:PORT,server`, `socket,path=PATH,server=on`, `socket,host=HOST,port=PORT,server=on`. */
function listening(value: string): readonly Listening[] {
  const short = /^(?:unix:(.*?)|(?:tcp|telnet):([^:,]*):(\d+))((?:,.*)?)$/s.exec(value.replaceAll(",,", "\0"));
  const values = parseKeyValues(short === null ? value : `_${short[4] ?? ""}`.replaceAll("\0", ",,"), "backend");
  if (!["on", "yes", "true", "y"].includes(values.get("server") ?? "off")) return [];
  const path = short?.[1]?.replaceAll("\0", ",") ?? values.get("path");
  if (path !== undefined) return [{ kind: "unix", path }];
  const port = Number(short?.[3] ?? values.get("port"));
  return Number.isInteger(port) && port > 0 ? [{ kind: "tcp", host: short?.[2] ?? values.get("host") ?? "", port }] : [];
}

/** The run-time folder of a machine that we started, if this is its command line: its files there must not be kept. */
export function ourFolder(options: readonly Option[]): string | undefined {
  const folder = /^(.*)\/pid$/.exec(options.findLast(({ name }) => name === "pidfile")?.value ?? "")?.[1];
  const isOurs = options.some(({ name, value = "" }) => name === "qmp" && readSocket(value) === `${folder}/control.sock`);
  return isOurs ? folder : undefined;
}
