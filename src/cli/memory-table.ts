import type { MemoryStatistics } from "../domain/views/memstat.ts";
import { type Cell, flow, painter, showSize, table } from "./output.ts";
import type { Io } from "./verb.ts";

/** How people call the guest's figures, by QEMU's names, in the order of the table; sizes in bytes, the others are counts. */
const SIZES: Readonly<Record<string, string>> = {
  "total-memory": "in all",
  "available-memory": "programs could get",
  "free-memory": "unused",
  "disk-caches": "caches of disks",
  "swap-in": "read from swap",
  "swap-out": "written to swap",
};
const COUNTS: Readonly<Record<string, string>> = {
  "major-faults": "page faults that read a disk",
  "minor-faults": "other page faults",
  "oom-kills": "programs killed for want of memory",
  "alloc-stalls": "waits for free memory",
  "async-scans": "pages looked at in the background",
  "async-reclaims": "pages freed in the background",
  "direct-scans": "pages looked at while a program waited",
  "direct-reclaims": "pages freed while a program waited",
  "htlb-pgalloc": "huge pages given to programs",
  "htlb-pgfail": "huge pages refused to programs",
};

/** What is known of a machine's memory, as tables for people. */
export function showMemory(memory: MemoryStatistics, { stdout, env }: Pick<Io, "stdout" | "env">): string {
  const { columns } = stdout;
  const paint = painter(stdout, env);
  const draw = (title: string, rows: readonly (readonly Cell[])[]): string => {
    const lines = flow(title, columns)
      .split("\n")
      .filter((line) => line !== "");
    const heading = lines.map((line) => `${paint(line, "bold")}\n`).join("");
    return rows.length === 0 ? "" : `${heading}${table(rows, { right: [1], columns })}`;
  };
  const parts = [
    draw(memory.guest === null ? "guest" : `guest (${memory.guest.age})`, guestRows(memory)),
    draw("balloon", balloonRows(memory)),
    draw("host", hostRows(memory)),
    ...[memory.why, memory.host?.denied ?? memory.hostDenied].map((why) => (why === undefined ? "" : flow(why, columns))),
  ].filter((part) => part !== "");
  return parts.length > 0 ? parts.join("\n") : flow(`${memory.name} is ${memory.state}`, columns);
}

const size = (bytes: number | null | undefined): string => (bytes === null || bytes === undefined ? "-" : showSize(bytes));

function guestRows({ guest }: MemoryStatistics): readonly (readonly Cell[])[] {
  if (guest === null) return [];
  const { figures } = guest;
  const count = (name: string): string => String(figures[name] ?? "-");
  const known = { ...SIZES, ...COUNTS };
  return [
    ...Object.entries(SIZES).flatMap(([name, words]) => (name in figures ? [[words, size(figures[name])]] : [])),
    ...Object.entries(COUNTS).flatMap(([name, words]) => (name in figures ? [[words, count(name)]] : [])),
    // Of a newer QEMU, by its own name.
    ...Object.keys(figures).flatMap((name) => (name in known ? [] : [[name, count(name)]])),
  ];
}

function balloonRows({ balloon, limits }: MemoryStatistics): readonly (readonly Cell[])[] {
  if (balloon === null) return [];
  return [
    ["leaves the guest", size(balloon.actual)],
    ["is to leave it", size(balloon.target)],
    ["at most", size(balloon.most)],
    ...(limits?.min == null ? [] : [["at least, by the config", size(limits.min)]]),
  ];
}

function hostRows({ host }: MemoryStatistics): readonly (readonly Cell[])[] {
  if (host === undefined) return [];
  const some = (name: string, bytes: number): readonly (readonly Cell[])[] => (bytes === 0 ? [] : [[name, size(bytes)]]);
  return [
    ["in RAM", size(host.resident)],
    ["shared pages in parts", size(host.share)],
    ["in swap", size(host.swapped)],
    ["huge pages", size(host.huge)],
    ["transparent huge pages", size(host.transparentHuge)],
    ["locked", size(host.locked)],
    ...some("pinned by devices", host.pinned),
    ["charged to its cgroup", size(host.cgroup?.charged)],
  ];
}
