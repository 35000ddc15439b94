import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { valuesOf } from "../../../config/option-values.ts";
import type { Option } from "../../../config/options.ts";
import { cgroupPathsOf, containerIn } from "../../../host/cgroup-paths.ts";
import { unixSocketsOf } from "../../../host/listeners.ts";
import type { Process } from "../../../host/processes.ts";
import type { QemuWords } from "../command-line.ts";

/** A program, other than qmpctl, that starts QEMUs and means to go on managing them. */
export type OtherKeeper = "libvirt" | "proxmox" | "incus" | "container";

/** Who manages a QEMU, and how that is known. */
export interface Keeper {
  readonly by: OtherKeeper;
  /** What its keeper calls it: the name of a domain, a number, a container. */
  readonly name: string | null;
  /** What shows it, in words. */
  readonly proofs: readonly string[];
  /** False if nothing but its command line says so, which anyone can write. It is not taken from anybody for that. */
  readonly isSure: boolean;
}

/** What this host shows of a process besides its command line. Nobody but its keeper, or root, can make these up. */
export interface Traces {
  readonly uid: number;
  readonly cgroups: readonly string[];
  /** Our own groups: a QEMU in the container that we are in is in no other. */
  readonly ownCgroups: readonly string[];
  /** Where it listens; undefined where we may not look. */
  readonly sockets: readonly string[] | undefined;
  /** The pid in a pidfile; undefined if it can't be read. */
  readonly pidIn: (path: string) => number | undefined;
}

/** Reads them. */
export function tracesOf({ pid, uid }: Process): Traces {
  return {
    uid,
    cgroups: cgroupPathsOf(pid),
    ownCgroups: cgroupPathsOf("self"),
    sockets: unixSocketsOf(pid),
    pidIn: (path) => {
      try {
        return Number(readFileSync(path, "utf8").trim());
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * Who manages a QEMU besides qmpctl; null if nobody is seen to. Its pidfile in the keeper's folder, its control group and the sockets that
 * it listens on are proofs. The words of its command line are none, but a QEMU that has a keeper's words is not taken for nobody's: that
 * would be two masters of one machine.
 */
export function keeperOf({ pid }: Pick<Process, "pid">, words: QemuWords, traces: Traces): Keeper | null {
  for (const look of [libvirt, proxmox, incus, container]) {
    const { by, name, proofs, said } = look(pid, words, traces);
    if (proofs.length > 0) return { by, name, proofs, isSure: true };
    if (said !== undefined) return { by, name, proofs: [`its command line alone: ${said}`], isSure: false };
  }
  return null;
}

interface Look {
  readonly by: OtherKeeper;
  readonly name: string | null;
  readonly proofs: readonly string[];
  /** What its command line has of the keeper. */
  readonly said?: string | undefined;
}

type Looking = (pid: number, words: QemuWords, traces: Traces) => Look;

/** The folders in which libvirt keeps a monitor: the host's, and those of a user's session. */
const LIBVIRT_MONITOR = /^(?:\/var\/lib\/libvirt\/qemu|\/.*\/libvirt\/qemu\/lib)\/domain-[^/]*\/monitor\.sock$/;
const LIBVIRT_GROUP = /\/machine-qemu\\x2d\d+\\x2d([^/]+)\.scope(?:\/|$)|\/machine\/qemu-\d+-([^/]+)\.libvirt-qemu(?:\/|$)/;

const libvirt: Looking = (pid, { name, options }, { uid, cgroups, sockets, pidIn }) => {
  const pidfiles = isFileName(name) ? [`/run/libvirt/qemu/${name}.pid`, `/run/user/${uid}/libvirt/qemu/run/${name}.pid`] : [];
  const pidfile = pidfiles.find((path) => pidIn(path) === pid);
  const group = firstMatch(LIBVIRT_GROUP, cgroups);
  const socket = sockets?.find((path) => LIBVIRT_MONITOR.test(path));
  return {
    by: "libvirt",
    name: name ?? (group === undefined ? null : unescaped(group[1] ?? group[2] ?? "")),
    proofs: proofs({ pidfile, group: group?.input, socket }),
    said: masterKey(options),
  };
};

/** The file of libvirt's key, which every QEMU that it starts is given to read secrets with. */
function masterKey(options: readonly Option[]): string | undefined {
  for (const option of options.filter(({ name }) => name === "object")) {
    const values = valuesOf(option, "qom-type");
    const file = values.get("file") ?? "";
    if (values.get("qom-type") === "secret" && basename(file) === "master-key.aes" && file.includes("/libvirt/")) return file;
  }
  return undefined;
}

const PROXMOX_GROUP = /^\/qemu\.slice\/(\d+)\.scope(?:\/|$)/;
const PROXMOX_MONITOR = /^(?:\/var)?\/run\/qemu-server\/(\d+)\.qmp$/;

const proxmox: Looking = (pid, { options, monitors }, { cgroups, sockets, pidIn }) => {
  const id = options.findLast(({ name, value = "" }) => name === "id" && /^\d+$/.test(value))?.value;
  const path = id === undefined ? undefined : `/run/qemu-server/${id}.pid`;
  const pidfile = path !== undefined && pidIn(path) === pid ? path : undefined;
  const group = firstMatch(PROXMOX_GROUP, cgroups);
  const socket = sockets?.find((each) => PROXMOX_MONITOR.test(each));
  const said = monitors.find((each) => each.kind === "unix" && PROXMOX_MONITOR.test(each.path));
  return {
    by: "proxmox",
    name: id ?? group?.[1] ?? PROXMOX_MONITOR.exec(socket ?? "")?.[1] ?? null,
    proofs: proofs({ pidfile, group: group?.input, socket }),
    said: id === undefined || said?.kind !== "unix" ? undefined : `-id ${id}, ${said.path}`,
  };
};

const INCUS_FILE = /^(?:\/var)?\/(?:run|log)\/(?:incus|lxd)\/(?:[^/]+\/)*([^/]+)\/qemu\.(?:monitor|conf)$/;

const incus: Looking = (_, { options }, { sockets }) => {
  const socket = sockets?.find((path) => INCUS_FILE.test(path));
  const file = options.find(({ name, value = "" }) => name === "readconfig" && INCUS_FILE.test(value))?.value;
  return { by: "incus", name: INCUS_FILE.exec(socket ?? file ?? "")?.[1] ?? null, proofs: proofs({ socket }), said: file };
};

const container: Looking = (_, _words, { cgroups, ownCgroups }) => {
  const own = new Set(ownCgroups.map(containerIn));
  const [group] = cgroups.filter((path) => containerIn(path) !== undefined && !own.has(containerIn(path)));
  return { by: "container", name: group === undefined ? null : (containerIn(group) ?? null), proofs: proofs({ group }) };
};

interface Proofs {
  readonly pidfile?: string | undefined;
  readonly group?: string | undefined;
  readonly socket?: string | undefined;
}

function proofs({ pidfile, group, socket }: Proofs): readonly string[] {
  return [
    ...(pidfile === undefined ? [] : [`the pidfile ${pidfile}`]),
    ...(group === undefined ? [] : [`the control group ${group}`]),
    ...(socket === undefined ? [] : [`the socket ${socket}`]),
  ];
}

function firstMatch(form: RegExp, texts: readonly string[]): RegExpExecArray | undefined {
  for (const text of texts) {
    const found = form.exec(text);
    if (found !== null) return found;
  }
  return undefined;
}

/** systemd writes bytes that a unit's name can't have as \xNN. */
function unescaped(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function isFileName(name: string | null): name is string {
  return name !== null && name !== "" && !name.includes("/") && !name.startsWith(".");
}
