import { isName } from "../../../config/names.ts";
import { shellWord } from "../../model/format.ts";
import type { RunningQemu } from "./running-qemu.ts";

/** How people call each keeper. */
const TITLES: Readonly<Record<NonNullable<RunningQemu["keeper"]>, string>> = {
  qmpctl: "qmpctl",
  libvirt: "libvirt",
  proxmox: "Proxmox",
  incus: "Incus",
  container: "a container",
};

/** How people call the keeper of a QEMU. */
export function titleOf(keeper: NonNullable<RunningQemu["keeper"]>): string {
  return TITLES[keeper];
}

/** What can be done with a QEMU, in one line. */
export function adviceFor(seen: Omit<RunningQemu, "advice">): string {
  const { pid, name, can, keptAs } = seen;
  if (can === "domain") return [`it is the domain ${keptAs ?? ""}`, ...remarksOn(seen)].join("; ");
  if (seen.keeper !== null) return `${whyKept(seen)}; ${insteadOf(seen)}`;
  if (can === "another-users") return `another user's: qmpctl as ${whose(seen)} adopts it`;
  const words = name !== null && isName(name) ? "" : ` --name ${name === null ? nameFor(seen) : "NAME"}`;
  return [`adopt it: define --pid ${pid}${words}`, ...remarksOn(seen)].join("; ");
}

/** What it is called where its command line has no name: its process id is all that tells it from others. */
export function nameFor({ pid, name }: Pick<RunningQemu, "pid" | "name">): string {
  return name ?? `qemu-${pid}`;
}

/** Whose machine it is. */
export function whose({ user, uid }: Pick<RunningQemu, "user" | "uid">): string {
  return user ?? `user ${uid}`;
}

/** Why it is not simply taken. */
export function whyKept({ keeper, isSure, keptAs, proofs }: Pick<RunningQemu, "keeper" | "isSure" | "keptAs" | "proofs">): string {
  if (keeper === null) return "nobody manages it";
  const by = titleOf(keeper);
  if (keeper === "container") return `it is in a container (${keptAs ?? ""})`;
  const as = keptAs === null ? "" : `, as ${keptAs}`;
  return isSure ? `${by} manages it${as}` : `${by} may manage it${as}, as ${proofs.join(", ")} says`;
}

/** What is to be done instead of an adoption. */
function insteadOf({ keeper, keptAs, pid }: Omit<RunningQemu, "advice">): string {
  const as = keptAs === null ? "NAME" : shellWord(keptAs);
  if (keeper === "libvirt") return `import libvirt ${as} takes it over once it is off there`;
  if (keeper === "proxmox") return `import proxmox ${as} takes it over once it is off there`;
  if (keeper === "container") return "run qmpctl inside it";
  return `define --pid ${pid} --force takes it all the same`;
}

/** What does not work with it, or not yet. */
export function remarksOn({ monitors, programUnseen }: Pick<RunningQemu, "monitors" | "programUnseen">): readonly string[] {
  const free = monitors.some(({ state }) => state === "free");
  const [held] = monitors.filter(({ state }) => state === "held");
  return [
    ...(programUnseen === true ? ["that it is a QEMU is only what its command line says"] : []),
    ...(monitors.length === 0 ? ["it has no QMP monitor until its next start"] : []),
    ...(!free && held !== undefined ? [`its monitor is held by ${holdersOf(held.holders)}`] : []),
    ...(monitors.length > 0 && !free && held === undefined ? ["nobody is seen to listen at its monitor"] : []),
  ];
}

function holdersOf(pids: readonly number[]): string {
  return pids.length === 0 ? "another client" : `process ${pids.join(", ")}`;
}
