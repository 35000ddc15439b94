/// <reference lib="esnext.disposable" />
import { spawn } from "node:child_process";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { basename, join } from "node:path";
import { exitOf } from "../../scripts/lab/exit.ts";
import { type Harness, openHarness } from "../../scripts/lab/harness.ts";
import { FOLDER } from "../config/corpus.ts";

/** Everything that a machine says of itself, in a form that two starts of one machine agree in. */
export type Portrait = Readonly<Record<string, unknown>>;

/** Files that command lines of the corpus open: as large as a board may want them. */
const FILES: readonly string[] = ["disk.img", "data.img"];

/** Makes what stands for the folder of the corpus, in which one machine can run. */
export async function furnish(folder: string): Promise<void> {
  await mkdir(folder);
  for (const file of FILES) {
    await writeFile(join(folder, file), "");
    await truncate(join(folder, file), 2 ** 20);
  }
}

/** The words of a command line for this host and in that folder: software emulation, on either side the same. */
export function here(words: readonly string[], folder: string): readonly string[] {
  return words
    .filter((word) => word !== "-enable-kvm" && word !== "-daemonize")
    .map((word) => word.replaceAll(FOLDER, folder).replace(/^host(,|$)/, "max$1"));
}

/**
 * Starts a QEMU by these words, stopped, and has it say what it is. It is asked over a monitor out of a file: one on the command line
 * would take away the human monitor
 * that QEMU has by itself.
 */
export async function portray(emulator: string, words: readonly string[], folder: string): Promise<Portrait> {
  const file = join(folder, "monitor.cfg");
  await writeFile(
    file,
    '[chardev "harness"]\n  backend = "socket"\n  fd = "3"\n[mon "harness"]\n  mode = "control"\n  chardev = "harness"\n',
  );
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", emulator, ...words, "-readconfig", file, "-S"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  const exited = exitOf(child);
  try {
    return await look(await openHarness(child.stdio[3] as Socket, exited, 60_000), folder);
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

const QUESTIONS = [
  "query-cpus-fast",
  "query-hotpluggable-cpus",
  "query-memory-size-summary",
  "query-memory-devices",
  "query-memdev",
  "query-chardev",
  "query-block",
  "query-name",
  "query-uuid",
  "query-status",
  "query-iothreads",
];
const HUMAN_QUESTIONS = ["info mtree -f", "info qom-tree", "info numa", "info qtree"];

async function look({ ask }: Harness, folder: string): Promise<Portrait> {
  const told = (answer: Promise<unknown>): Promise<unknown> => answer.catch((error: Error) => ({ refused: error.message }));
  const questions = QUESTIONS.map(async (name) => [name, tidied(await told(ask(name)), folder)] as const);
  const human = HUMAN_QUESTIONS.map(
    async (line) => [line, tidied(await told(ask("human-monitor-command", { "command-line": line })), folder)] as const,
  );
  const properties = (await ask("qom-list", { path: "/machine" })) as readonly { readonly name: string; readonly type: string }[];
  // The guest's clock is another one at each start.
  const plain = properties.filter(({ name, type }) => !/^(child|link)</.test(type) && name !== "rtc-time");
  const values = plain.map(
    async ({ name }) => [`/machine ${name}`, tidied(await told(ask("qom-get", { path: "/machine", property: name })), folder)] as const,
  );
  return Object.fromEntries(await Promise.all([...questions, ...human, ...values]));
}

/** Takes out what is another one at each start: threads of the host, numbers that QEMU draws, the folder. */
function tidied(value: unknown, folder: string): unknown {
  if (typeof value === "string" && value.startsWith("FlatView")) return tidied(flatViews(value), folder);
  const text = JSON.stringify(value, (key, each: unknown) => (key === "thread-id" || key === "pid" ? 0 : each));
  return JSON.parse(
    text
      .replaceAll(folder, FOLDER)
      .replaceAll(/#(block|chr)\d+/g, "#$1")
      .replaceAll(/\/dev\/pts\/\d+/g, "/dev/pts/N"),
  );
}

/** In an order of their own: QEMU's is that of a hash of addresses, and so is that of the names that share one. */
function flatViews(text: string): readonly string[] {
  const views = text.split(/^FlatView #\d+\r?\n/m).map((view) => {
    const lines = view.trimEnd().split(/\r?\n/);
    const names = lines.filter((line) => line.startsWith(" AS "));
    return [...names.toSorted(), ...lines.filter((line) => !names.includes(line))].join("\n");
  });
  return views.toSorted();
}

/** One character device of a machine. */
interface CharDevice {
  readonly label: string;
  readonly filename: string;
}

/**
 * What a start by qmpctl has besides, and what it has not; all else has to be equal. Its QMP monitors take the place of those of the
 * command line (`sockets` are either's). The human monitor that
 * QEMU opens by itself is missing where nobody could reach it: on a text screen that no display shows. A board's own number of vCPUs is
 * said, where the command line leaves it to the board:
 * then they are the cores of one socket, and not a number without a topology.
 */
export function comparable(
  portrait: Portrait,
  sockets: readonly string[],
  { ofBoard, textScreens }: { readonly ofBoard: boolean; readonly textScreens: boolean },
): Portrait {
  const devices = portrait["query-chardev"] as readonly CharDevice[];
  const isNotCompared = ({ label, filename }: CharDevice): boolean => {
    const isMonitor = label.startsWith("compat_monitor");
    return (
      label === "harness" ||
      sockets.some((socket) => filename.includes(socket)) ||
      (isMonitor && ((sockets.includes("stdio") && filename === "stdio") || (!textScreens && filename === "vc")))
    );
  };
  // Monitors on the command line are numbered through.
  const rest = devices
    .filter((device) => !isNotCompared(device))
    .map(({ label, ...device }) => ({ ...device, label: label.replace(/^compat_monitor\d+$/, "compat_monitor") }));
  const { cpus, "max-cpus": max } = (portrait["/machine smp"] ?? {}) as Readonly<Record<string, number>>;
  return {
    ...portrait,
    "query-chardev": rest.toSorted((one, other) => (one.label < other.label ? -1 : 1)),
    ...(ofBoard ? { "/machine smp": { cpus, "max-cpus": max } } : {}),
  };
}

/** The sockets, and `stdio`, that notes say monitors were on. */
export function monitorsIn(notes: readonly string[]): readonly string[] {
  return notes
    .filter((note) => /: (dropped, a started machine has monitors of its own|now the key "monitor")$/.test(note))
    .flatMap((note) => [...note.matchAll(/\/[\w/.-]+\.sock|\bstdio\b/g)].map(([found]) => found));
}

/** Whether a QEMU of this version has what a sample needs. */
export function isBetween(version: string, since: string | undefined, until: string | undefined): boolean {
  const number = (text: string): number =>
    text
      .split(".")
      .slice(0, 2)
      .reduce((sum, part, at) => sum + Number(part) * (at === 0 ? 1000 : 1), 0);
  return (since === undefined || number(version) >= number(since)) && (until === undefined || number(version) < number(until));
}

/** The emulator's name without its folder. */
export function nameOf(emulator: string): string {
  return basename(emulator);
}
