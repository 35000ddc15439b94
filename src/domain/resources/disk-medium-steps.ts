import { formatMedium, type Medium, NO_MEDIUM, parseMedium } from "../../config/medium.ts";
import { HostError } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { LiveDisk } from "../facts/disk-parts.ts";
import { disksOf } from "../facts/disks.ts";
import { eventsOf } from "../machine/event-hints.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { diskCalled } from "./disk-names.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, Work } from "./step.ts";

/** Put a medium into a drive in place of what is in it, or take that out. */
export interface MediumStep extends Step {
  readonly kind: "disk-medium";
  readonly disk: string;
  /** How QEMU's commands name its device. */
  readonly id: string;
  readonly medium: string;
  readonly before: string;
  /** The node that holds what goes in, on the way back, while it is there; null: the file is opened. */
  readonly node: string | null;
  /** The node that holds what is in it now, by its own name; null where QEMU named it, and frees it. */
  readonly nodeBefore: string | null;
  readonly mode: "read-only" | "read-write" | "retain";
  /** The guest holds the door, and is asked to open it, if it is not forced. */
  readonly locked: boolean;
  readonly force: boolean;
  /** Nothing is in the wrong place but the door. */
  readonly closeOnly?: true;
}

/** Let go of the nodes that held what was in a drive. */
interface FreeStep extends Step {
  readonly kind: "free-medium";
  readonly nodes: readonly string[];
}

/**
 * `blockdev-change-medium` opens the new file before it touches the old one, so that a file that can't be opened changes nothing. A door
 * that
 * the guest holds is asked for, and waited for; `query-block` decides.
 */
export const changing: StepKind<MediumStep> = {
  kind: "disk-medium",
  rank: 3,
  asksGuest: true,
  what: ({ disk, medium, locked, force }) =>
    `${medium === NO_MEDIUM ? `take the medium out of drive ${disk}` : `put ${medium} into drive ${disk}`}${locked ? (force ? ", by force" : ", which the guest is asked to open") : ""}`,
  sends: (step) => sentFor(step),
  undoing: (step) => sentFor(backOf(step)),

  begin: async (step, { monitor, deadline: by, signal }) => {
    await monitor.ask((session) => open(step, session), { by, signal });
  },

  readBack: async (step, work) => {
    const { monitor, deadline: by, signal } = work;
    const { seen, done } = await pollUntil(
      {
        hints: eventsOf(monitor, ["DEVICE_TRAY_MOVED"]),
        look: () => monitor.ask((session) => lookAndPut(step, session), { by, signal }),
        done: (disk) => isDone(step, disk),
      },
      { by, signal },
    );
    if (!done) throw new HostError(whyNot(step, seen, work));
    return { outcome: "done" };
  },

  inverse: (step, now, before) => {
    const [disk, was] = [diskCalled(step.disk, now.disks), diskCalled(step.disk, before.disks)];
    if (disk === undefined || was === undefined) return [];
    const isSame = mediumShown(disk) === mediumShown(was);
    if (isSame && (disk.trayOpen === was.trayOpen || was.trayOpen)) return [];
    return [{ ...backOf(step), locked: disk.locked, ...(isSame ? { closeOnly: true } : {}) }];
  },

  remarks: ({ disk, locked, force }, outcome) =>
    locked && !force && outcome !== "done" && outcome !== "skipped" && outcome !== "planned"
      ? [`the guest was asked to open the door of drive ${disk}, which can't be taken back: it may still do it`]
      : [],
};

/** Takes the nodes away when nothing can go back to them any more. One that something else uses stays, and is nobody's harm. */
export const freeing: StepKind<FreeStep> = {
  kind: "free-medium",
  rank: 8,
  asksGuest: false,
  isLast: true,
  what: ({ nodes }) => `let go of block node ${nodes.join(", ")}, which held the medium before`,
  sends: ({ nodes }) => nodes.map((node) => `blockdev-del {"node-name":"${node}"}`).join("; "),
  undoing: () => "blockdev-change-medium, which opens the file again",
  begin: ({ nodes }, { monitor, deadline: by, signal }) =>
    monitor.ask(
      async (session) => {
        for (const node of nodes)
          await session.execute("blockdev-del", { "node-name": node }).catch((error: unknown) => {
            if (!(error instanceof CommandError)) throw error;
          });
      },
      { by, signal },
    ),
  readBack: async () => ({ outcome: "done" }),
  // What goes back opens the file again.
  inverse: () => [],
};

/** The step that frees these nodes. */
export function freeStep(nodes: readonly string[]): FreeStep {
  return { kind: "free-medium", nodes };
}

/** What is in a drive, in one text; null where there is no such drive. */
export function mediumShown(disk: LiveDisk | undefined): string | null {
  if (disk === undefined) return null;
  return formatMedium(disk.medium === null ? null : { format: disk.medium.format, file: fileIn(disk.medium.file) });
}

/** The file in the name of a node, which QEMU writes in JSON where it has more to say of it. */
function fileIn(name: string): string {
  if (!name.startsWith("json:")) return name;
  try {
    return innermost(JSON.parse(name.slice("json:".length))) ?? name;
  } catch {
    return name;
  }
}

function innermost(node: unknown): string | undefined {
  if (typeof node !== "object" || node === null) return undefined;
  const { filename, file, driver } = node as Readonly<Record<string, unknown>>;
  return typeof filename === "string" && (driver === "file" || driver === "host_device" || driver === "host_cdrom")
    ? filename
    : innermost(file);
}

function backOf(step: MediumStep): MediumStep {
  return { ...step, medium: step.before, before: step.medium, node: step.nodeBefore, nodeBefore: step.node };
}

/** Asks for the door, and does at once what needs nobody. */
async function open(step: MediumStep, session: Session): Promise<void> {
  const { id, force, medium, node, closeOnly } = step;
  if (closeOnly === true) return;
  if (force || medium === NO_MEDIUM || node !== null) await session.execute("blockdev-open-tray", { id, force });
  // Whoever holds the door is asked by this too.
  else await change(step, session);
}

/** One look at the drive. If its door is open, what is wanted is put in. */
async function lookAndPut(step: MediumStep, session: Session): Promise<LiveDisk | undefined> {
  const disk = await lookAt(step, session);
  if (disk === undefined || isDone(step, disk)) return disk;
  if (disk.trayOpen || disk.noTray === true) await put(step, disk, session);
  // The guest has let go of the door without opening it.
  else if (!disk.locked && step.closeOnly !== true) await open(step, session);
  else return disk;
  return await lookAt(step, session);
}

async function lookAt({ id, disk }: MediumStep, session: Session): Promise<LiveDisk | undefined> {
  const disks = await disksOf(session);
  return disks.find(({ qdev }) => qdev === id) ?? diskCalled(disk, disks);
}

function isDone({ medium }: MediumStep, disk: LiveDisk | undefined): boolean {
  return disk === undefined || (mediumShown(disk) === medium && !disk.trayOpen);
}

async function put(step: MediumStep, disk: LiveDisk, session: Session): Promise<void> {
  const { id, medium, node } = step;
  if (mediumShown(disk) !== medium) {
    if (medium !== NO_MEDIUM && (node === null || !(await isThere(node, session)))) return await change(step, session);
    if (disk.medium !== null) await session.execute("blockdev-remove-medium", { id });
    if (node !== null && medium !== NO_MEDIUM) await session.execute("blockdev-insert-medium", { id, "node-name": node });
  }
  await session.execute("blockdev-close-tray", { id });
}

async function isThere(node: string, session: Session): Promise<boolean> {
  return (await session.execute("query-named-block-nodes", { flat: true })).some((each) => each["node-name"] === node);
}

/** Where the guest holds the door, QEMU asks it to open, and says no. */
async function change({ id, medium, mode }: MediumStep, session: Session): Promise<void> {
  const { file, format } = parseMedium(medium) as Medium;
  await session.execute("blockdev-change-medium", { id, filename: file, format, "read-only-mode": mode }).catch((error: unknown) => {
    if (!(error instanceof CommandError) || !/is locked and force was not specified/.test(error.message)) throw error;
  });
}

function sentFor({ id, medium, mode, locked, force, closeOnly }: MediumStep): string {
  const [name, opening] = [JSON.stringify(id), `blockdev-open-tray {"id":${JSON.stringify(id)},"force":${force}}`];
  const close = `blockdev-close-tray {"id":${name}}`;
  if (closeOnly === true) return close;
  const wanted = parseMedium(medium);
  if (wanted === null) return `${opening}; blockdev-remove-medium {"id":${name}}; ${close}`;
  const into = JSON.stringify({ id, filename: wanted.file, format: wanted.format, "read-only-mode": mode });
  return `${locked && force ? `${opening}; ` : ""}blockdev-change-medium ${into}`;
}

function whyNot({ disk, medium, force }: MediumStep, seen: LiveDisk | undefined, { deadline, live }: Work): string {
  if (seen?.locked === true && !force)
    return `the guest holds the door of drive ${disk}: it was asked to open it, and ${live.running ? `has not in ${Math.round(deadline.timeout / 1000)} s` : "does nothing while it is paused"}: unmount it in the guest, or take --force`;
  return `drive ${disk}: asked for ${medium}, QEMU shows ${mediumShown(seen) ?? "no such drive"}${seen?.trayOpen === true ? ", its door open" : ""}`;
}
