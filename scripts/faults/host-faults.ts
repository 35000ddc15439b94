import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { geteuid } from "node:process";
import { promisify } from "node:util";
import type { Allowed } from "./check.ts";
import { atMessage, type Fault } from "./faults.ts";

const run = promisify(execFile);

/** Our own taskset in front of the host's: a shell script that knows the number of the call. */
function taskset(script: string, allowed: Allowed): Fault["run"] {
  return async (trial) => {
    const folder = join(trial.rig.runtime, "..", "bin");
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    const count = join(folder, "count");
    await writeFile(count, "");
    await writeFile(
      join(folder, "taskset"),
      `#!/bin/sh\necho >>${count}; n=$(wc -l <${count})\n${script}\nPATH=\${PATH#*:}; exec taskset "$@"\n`,
    );
    await chmod(join(folder, "taskset"), 0o755);
    const ended = await trial.start({ path: folder }).ended;
    return { ended, allowed, reached: (await readFile(count, "utf8")).length > 1 };
  };
}

const fullDisk: Fault["run"] = async (trial) => {
  const folder = dirname(trial.rig.configPath);
  const text = await readFile(trial.rig.configPath);
  await run("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "none", folder]);
  await writeFile(join(folder, basename(trial.rig.configPath)), text, { mode: 0o600 });
  await writeFile(join(folder, "ballast"), Buffer.alloc(1 << 20)).catch(() => undefined);
  const ended = await trial.start().ended;
  return { ended, allowed: { codes: [1] }, reached: true, repair: () => run("umount", [folder]) };
};

const readOnly: Fault["run"] = async (trial) => {
  const folder = dirname(trial.rig.configPath);
  await run("mount", ["--bind", folder, folder]);
  await run("mount", ["-o", "remount,bind,ro", folder]);
  const ended = await trial.start().ended;
  return { ended, allowed: { codes: [1] }, reached: true, repair: () => run("umount", [folder]) };
};

/** Takes root's right to write in spite of file modes from the command. Other users do not have it. */
const OBEYING: readonly string[] = geteuid?.() === 0 ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"] : [];

const modeTaken: Fault["run"] = async (trial, step) => {
  const folder = dirname(trial.rig.configPath);
  const shut = (): Promise<void> => chmod(folder, 0o500);
  const repair = (): Promise<void> => chmod(folder, 0o700);
  // The prepared files can't be removed either, until the next command.
  const allowed = { codes: [1], leftovers: true };
  if (step !== "prepare")
    return { ...(await atMessage(async () => (await shut(), undefined), allowed, { under: OBEYING })(trial, step)), repair };
  await shut();
  return { ended: await trial.start({ under: OBEYING }).ended, allowed, reached: true, repair };
};

const NOBODY = 65_534;

const anotherUser: Fault["run"] = async (trial) => {
  const ended = await trial.start({ uid: NOBODY }).ended;
  return { ended, allowed: { codes: [3] }, reached: true };
};

const heldByLiving: Fault["run"] = async (trial) => {
  const holder = spawn("flock", [join(trial.rig.books, "lock"), "sh", "-c", "echo held; read -r _"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  const ended = await trial.start({}, "--timeout", "300ms").ended;
  const said = ended.stderr.includes(`locked by process ${holder.pid} `);
  holder.stdin.end("\n");
  await once(holder, "close");
  return { ended, allowed: { codes: said ? [3] : [] }, reached: true };
};

const heldByDead: Fault["run"] = async (trial) => {
  const holder = spawn("flock", ["-o", join(trial.rig.books, "lock"), "sh", "-c", "echo held; read -r _"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  const ended = once(holder, "close");
  holder.kill("SIGKILL");
  holder.stdin.end();
  await ended;
  return { ended: await trial.start().ended, allowed: { codes: [0] }, reached: true };
};

const runtimeGone: Fault["run"] = async (trial, step) => {
  const away = `${trial.rig.runtime}.away`;
  const tried = await atMessage(async ({ rig }) => (await rename(rig.runtime, away), undefined), { codes: [0, 1] })(trial, step);
  const repair = async (): Promise<void> => {
    if (!tried.reached) return;
    await rm(trial.rig.runtime, { recursive: true, force: true });
    await rename(away, trial.rig.runtime);
  };
  return { ...tried, repair };
};

let mounts: Promise<string | null> | undefined;

/** Why no file system can be mounted here. Null: it can. */
function mountObstacle(): Promise<string | null> {
  return (mounts ??= tryMount());
}

async function tryMount(): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-mount-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "none", folder]);
    await run("umount", [folder]);
    return null;
  } catch (error) {
    return `nothing can be mounted: ${(error as Error).message.trim().split("\n").at(-1)}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const rootOnly = (): Promise<string | null> => Promise.resolve(geteuid?.() === 0 ? null : "only root can run a command as another user");

/** Faults of the host, its files and its users, for fake and real machines. */
export const HOST_FAULTS: readonly Fault[] = [
  {
    name: "taskset fails on the 2nd of 3 threads",
    steps: ["pin"],
    kind: "grow",
    run: taskset('[ "$n" = 2 ] && { echo "taskset: failed to set affinity: No such process" >&2; exit 1; }', { codes: [1] }),
  },
  { name: "taskset kills its caller", steps: ["pin"], kind: "grow", run: taskset('[ "$n" = 2 ] && kill -KILL $PPID', { codes: [null] }) },
  { name: "taskset does nothing (mask narrowed)", steps: ["pin"], kind: "grow", run: taskset('[ "$n" = 2 ] && exit 0', { codes: [1] }) },
  { name: "lock held by the living", steps: ["lock"], run: heldByLiving },
  { name: "lock held by the dead", steps: ["lock"], run: heldByDead },
  { name: "run-time folder gone", steps: ["plug", "balloon", "wait"], onReal: ["balloon"], run: runtimeGone },
  { name: "disk full (tmpfs)", steps: ["prepare"], run: fullDisk, obstacle: mountObstacle },
  { name: "read-only (mount)", steps: ["prepare"], run: readOnly, obstacle: mountObstacle },
  { name: "permission taken (mode)", steps: ["prepare", "balloon", "wait"], onReal: ["prepare", "wait"], run: modeTaken },
  { name: "as another user", steps: ["lock"], run: anotherUser, obstacle: rootOnly },
];
