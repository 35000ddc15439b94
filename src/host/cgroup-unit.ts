import { geteuid, pid } from "node:process";
import type { CpuGroup } from "./cgroup.ts";
import { runSystemd } from "./systemd-tool.ts";

/** A unit of systemd that a group belongs to: systemd writes the group's files, and would undo what is written past it. */
export interface Unit {
  readonly name: string;
  /** Whose manager it is of; null for the system's. */
  readonly user: number | null;
  /** Its processes end, all but those that they leave behind (Type=oneshot). */
  readonly isOneshot: boolean;
  /** Whether it ends when this process does, and systemd then ends what else is in it. */
  readonly endsWithUs: boolean;
  /** Whether systemd leaves the groups below this one to whoever runs in it (Delegate=yes). */
  readonly delegates: boolean;
}

/** How long systemd may take to say what a unit is, in milliseconds. */
const TIMEOUT = 10_000;

/**
 * The unit whose group this is; null where systemd knows of none, or can't be asked. Source: systemd.unit(5), org.freedesktop.systemd1(5).
 */
export async function unitOf({ path }: Pick<CpuGroup, "path">): Promise<Unit | null> {
  const words = path.split("/");
  // systemd puts an underscore before a name that the kernel could take for one of its own files.
  const name = (words.at(-1) ?? "").replace(/^_/, "");
  if (!/\.(scope|service)$/.test(name) || /^user@\d+\.service$/.test(name)) return null;
  const user = /^user@(\d+)\.service$/.exec(words.findLast((word) => /^user@\d+\.service$/.test(word)) ?? "")?.[1];
  const unit = { name, user: user === undefined ? null : Number(user) };
  const shown = await runSystemd(
    "systemctl",
    [...managerOf(unit.user), "show", `--property=${ASKED.join(",")}`, "--", name],
    TIMEOUT,
  ).catch(() => "");
  const properties = new Map(shown.split("\n").map((line) => [line.replace(/=.*/, ""), line.replace(/^[^=]*=/, "")]));
  if (properties.get("ControlGroup") !== path) return null;
  return {
    ...unit,
    isOneshot: properties.get("Type") === "oneshot",
    endsWithUs: endsWithUs(properties),
    delegates: properties.get("Delegate") === "yes",
  };
}

const ASKED: readonly string[] = ["ControlGroup", "Type", "RemainAfterExit", "KillMode", "MainPID", "Delegate"];

/** Source: systemd.service(5), systemd.kill(5). */
function endsWithUs(properties: ReadonlyMap<string, string>): boolean {
  const [type = "", mode = ""] = [properties.get("Type"), properties.get("KillMode")];
  const isOver = type === "oneshot" || (type !== "forking" && properties.get("MainPID") === String(pid));
  return isOver && properties.get("RemainAfterExit") === "no" && ["control-group", "mixed"].includes(mode);
}

/** Sets one property of a unit until the host's next boot. @throws HostError with systemd's own words */
export async function setProperty(unit: Unit, property: string, timeout: number): Promise<void> {
  await runSystemd("systemctl", propertyWords(unit, property).slice(1), timeout);
}

/** The command line for that. */
export function propertyWords({ name, user }: Unit, property: string): readonly string[] {
  return ["systemctl", "--no-ask-password", ...managerOf(user), "set-property", "--runtime", "--", name, property];
}

/** A unit that a running process is to be moved into. */
export interface ScopeOptions {
  readonly name: string;
  readonly pid: number;
  readonly about: string;
  /** The user whose manager is asked; null for the system's. */
  readonly user: number | null;
  readonly timeout: number;
}

/**
 * Asks systemd to move a process into a new scope, which ends with it. It is done a moment later. @throws HostError with systemd's words
 */
export async function adoptIntoScope({ name, pid, about, user, timeout }: ScopeOptions): Promise<void> {
  const manager = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit"];
  const properties = [
    ["PIDs", "au", "1", String(pid)],
    ["Description", "s", about],
    ["CollectMode", "s", "inactive-or-failed"],
    // Machines share CPU time out with each other, and as one with the rest of the system.
    ...(user === null ? [["Slice", "s", "machine.slice"]] : []),
  ];
  const words = ["ssa(sv)a(sa(sv))", name, "fail", String(properties.length), ...properties.flat(), "0"];
  await runSystemd("busctl", ["--quiet", ...managerOf(user), "call", ...manager, ...words], timeout);
}

function managerOf(user: number | null): readonly string[] {
  if (user === null) return [];
  return user === geteuid?.() ? ["--user"] : ["--user", `--machine=${user}@.host`];
}
