import { plannedMemory } from "../../config/memory-in-args.ts";
import { readTail } from "../../config/safe-file.ts";
import { formatSize } from "../../config/size.ts";
import { usesStdio } from "../../config/stdio.ts";
import type { Stored } from "../../config/store.ts";
import { unitOf } from "../../host/cgroup-unit.ts";
import { cpuGroupOf } from "../../host/cgroup.ts";
import { sessionEndsProcesses } from "../../host/login.ts";
import { outputOf } from "../machine/last-words.ts";
import type { StartOptions } from "../model/action.ts";
import { foldVcpus } from "../model/format.ts";
import { consoleIn } from "./launch.ts";

/** The notes of a start that worked: what QEMU wrote (warnings, the terminal of `-serial pty`), and what else the caller should know. */
export async function notesOf(
  { config }: Stored,
  { folder, pid, isSupervised }: { readonly folder: string; readonly pid: number; readonly isSupervised: boolean },
  options: StartOptions,
): Promise<readonly string[]> {
  const console = consoleIn(folder);
  const said = [...(await outputOf(folder)), ...(await terminalsIn(console.output))].slice(0, MOST_LINES);
  return [
    ...foldVcpus(said.map((line) => `QEMU says: ${line}`)),
    ...(usesStdio(config.args) ? [`it writes its stdio to ${console.output}, and reads what is written to ${console.input}`] : []),
    ...(options.paused === true ? ["it is paused, as asked"] : []),
    ...(config.memory.current < config.memory.max
      ? [`the guest gives memory back down to ${formatSize(plannedMemory(config))} once its balloon driver is up`]
      : []),
    // Its supervisor is there to end with it.
    ...(isSupervised ? [] : await endingWith(pid)),
  ];
}

/** What it ends with, though nobody ends it: a login session, or the unit of systemd that this command runs in. */
async function endingWith(pid: number): Promise<readonly string[]> {
  if (await sessionEndsProcesses(pid))
    return [
      "it ends with this login session, as this host kills what a session leaves behind (KillUserProcesses=yes); once lingering is enabled (loginctl enable-linger), start runs it outside of the session",
    ];
  const group = cpuGroupOf(pid);
  const unit = "why" in group || !group.path.endsWith(".service") ? null : await unitOf(group);
  return unit?.endsWithUs === true
    ? [`it ends with ${unit.name}, which systemd ends with this command: RemainAfterExit=yes or KillMode=process in the unit keeps it`]
    : [];
}

/** QEMU writes on stdout which terminal `-serial pty` has got. */
async function terminalsIn(output: string): Promise<readonly string[]> {
  return (await readTail(output))
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line.startsWith("char device redirected to "));
}

/** More lines than that are a console, not warnings. */
const MOST_LINES = 20;
