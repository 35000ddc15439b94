import { mkdir, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { LaunchConfig } from "../../config/launch.ts";
import { ownUid } from "../../config/own-user.ts";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { HostError, messageOf } from "../../errors.ts";
import { adoptIntoScope } from "../../host/cgroup-unit.ts";
import { enableCpu, write } from "../../host/cgroup-write.ts";
import { type CpuGroup, cpuGroupOf, whyNotWritten } from "../../host/cgroup.ts";
import { isSystemd, lingers } from "../../host/login.ts";
import { isInServiceGroup, ownService } from "../../host/service-group.ts";
import { liveCpuGroup } from "../facts/cgroup.ts";
import { pollUntil } from "../machine/poll-until.ts";

/** How a QEMU that shares its group comes to one of its own. */
type Way =
  /** Into a scope of systemd's; `user`: whose manager makes it, null for the system's. */
  | { readonly how: "scope"; readonly user: number | null; readonly notes: readonly string[] }
  /** Into a new folder among the groups. */
  | { readonly how: "folder" }
  | { readonly how: "none" };

/** The machine that is started. */
interface Started {
  readonly config: LaunchConfig;
  readonly id: string;
  readonly pid: number;
  /** Whether the process that started it waits for its end: then it may end with the service of that. */
  readonly isSupervised?: boolean;
}

/** How long systemd may take to move a process, in milliseconds. */
const MOVE = 10_000;

/**
 * Gives a QEMU that is set up, and does not run yet, a control group of its own, so that its share of the CPUs can be set then and later.
 * One that has its own already keeps it: it was started by systemd-run, or by a unit; but not if that unit ends with this command. If the
 * config asks for no share, what can't be had is left, and so is the group of a user whose programs may end with it.
 *
 * @returns what the caller ought to know of it
 * @throws HostError when the config asks for a share, and there is no way to such a group
 */
export async function giveOwnGroup(machine: Started): Promise<readonly string[]> {
  const { config, pid } = machine;
  const isWanted = asksForShare(config);
  const way = machine.isSupervised === true ? await wayUnderService(isWanted) : wayFor(isWanted);
  if (way.how === "none") return [];
  const { group, isOwn, unit } = await liveCpuGroup(pid);
  if (isOwn && unit?.endsWithUs !== true) return [];
  try {
    if (way.how === "folder") await intoFolder(group, machine);
    else await intoScope(machine, way.user);
  } catch (error) {
    if (!isWanted && error instanceof HostError) return [];
    throw new HostError(
      `its config asks for a share of the CPUs (cpu), and QEMU could not be given a cgroup of its own: ${messageOf(error)}; ${WAYS}`,
      {},
      { cause: error },
    );
  }
  return way.how === "scope" ? way.notes : [];
}

function asksForShare({ cpu }: LaunchConfig): boolean {
  return cpu?.quota !== undefined || cpu?.weight !== undefined;
}

/**
 * Why a start could give QEMU no group of its own, though its config asks for a share of the CPUs; null where nothing is known to be in the
 * way. A program that is not called as QEMU may bring a group along.
 */
export function groupObstacle(config: LaunchConfig): string | null {
  if (!asksForShare(config) || isSystemd() || !basename(config.emulator).startsWith("qemu")) return null;
  const group = cpuGroupOf("self");
  const why = "why" in group ? group.why : whyNotWritten(isBeside(group) ? dirname(group.folder) : group.folder);
  if (why === null) return null;
  return `its config asks for a share of the CPUs (cpu), and QEMU can be given no cgroup of its own: ${"folder" in group ? `${group.folder} ${why}` : why}; ${WAYS}`;
}

/** Of the newer interface a group with processes in it can have none below it that are limited: a new one is made beside it. */
function isBeside({ version, path }: CpuGroup): boolean {
  return version === 2 && path !== "/";
}

const WAYS =
  "start it as root, or as a user who may have one (loginctl enable-linger, and a systemd of the user), or take cpu out of the config";

function wayFor(isWanted: boolean): Way {
  if (!isSystemd()) return isWanted ? { how: "folder" } : { how: "none" };
  if (ownUid() === 0) return { how: "scope", user: null, notes: [] };
  if (lingers()) return { how: "scope", user: ownUid(), notes: [] };
  // The scopes of a user who does not linger end with his last session.
  const note =
    "for its share of the CPUs it runs in a scope of your own systemd, which ends with your last login session: loginctl enable-linger keeps it";
  return isWanted ? { how: "scope", user: ownUid(), notes: [note] } : { how: "none" };
}

/** A machine that is supervised stays in the service of its supervisor, below a group of which it can have one of its own. */
async function wayUnderService(isWanted: boolean): Promise<Way> {
  if (isInServiceGroup()) return { how: "folder" };
  const service = await ownService();
  if (service === null) return wayFor(isWanted);
  if (!isWanted) return { how: "none" };
  throw new HostError(
    `its config asks for a share of the CPUs (cpu), and ${service.name} does not let it have a cgroup of its own: Delegate=yes in the unit does`,
  );
}

async function intoScope({ config, pid }: Started, user: number | null): Promise<void> {
  // A unit's name has no other characters. The pid makes it the only one.
  const name = `qmpctl-${config.name.replaceAll("+", "_")}-${pid}.scope`;
  await adoptIntoScope({ name, pid, about: `QEMU of ${config.name}, started by qmpctl`, user, timeout: MOVE });
  const pathNow = (): string => {
    const group = cpuGroupOf(pid);
    return "why" in group ? group.why : group.path;
  };
  const by: Deadline = deadlineIn(MOVE);
  const { seen, done } = await pollUntil(
    { look: async () => pathNow(), done: (path) => basename(path) === name, pauses: [5, 10, 20] },
    { by },
  );
  if (!done) throw new HostError(`systemd took it, and has not moved QEMU into ${name}: it is in ${seen}`);
}

/** Without systemd, a new folder among the groups. */
async function intoFolder(group: CpuGroup | null, { id, pid }: Started): Promise<void> {
  if (group === null) throw new HostError("it has no cgroup that can be seen from here");
  const name = folderName(id);
  const made: CpuGroup = isBeside(group)
    ? { ...group, path: join(dirname(group.path), name), folder: join(dirname(group.folder), name) }
    : { ...group, path: join(group.path, name), folder: join(group.folder, name) };
  await mkdir(made.folder).catch((cause: unknown) => {
    // One of an earlier life of this machine is empty, and as good.
    if ((cause as { readonly code?: string }).code === "EEXIST") return;
    throw new HostError(`${made.folder} can't be made: ${messageOf(cause)}`, {}, { cause });
  });
  try {
    await enableCpu(made);
    await write(join(made.folder, "cgroup.procs"), String(pid));
  } catch (error) {
    await rmdir(made.folder).catch(() => undefined);
    throw error;
  }
}

function folderName(id: string): string {
  return `qmpctl-${id}`;
}

/** Asked while a machine runs: what removes the folder that a start made for it, once it has ended. systemd removes its own scopes. */
export function groupRemover({ pid, id }: { readonly pid: number | null; readonly id: string | null }): () => Promise<void> {
  const group = pid === null ? { why: "elsewhere" } : cpuGroupOf(pid);
  if ("why" in group || id === null || basename(group.path) !== folderName(id)) return async () => undefined;
  // The kernel refuses to remove a group that somebody is in.
  return () => rmdir(group.folder).catch(() => undefined);
}
