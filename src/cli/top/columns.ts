import { bar, type Capabilities, curve, type Look, type Piece } from "./drawing.ts";
import type { DomainFrame } from "./frame.ts";
import { notesOn } from "./notes.ts";
import { cut, shortPercent, shortSize } from "./text.ts";
import type { Order } from "./view.ts";

/** What a cell is made of. */
export interface CellAbout {
  readonly domain: DomainFrame;
  /** Its CPU in the frames before, oldest first. */
  readonly past: readonly number[];
  readonly can: Capabilities;
  readonly width: number;
}

/** One column of the table. */
export interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: true;
  /** What the table is sorted by where this column is marked. */
  readonly order?: Order;
  /** How important it is: on a narrow terminal, those of high numbers are left out first. */
  readonly rank: number;
  /** The narrowest and the widest terminal that has it. */
  readonly from?: number;
  readonly to?: number;
  readonly cell: (about: CellAbout) => Piece;
}

const size =
  (value: (domain: DomainFrame) => number | null) =>
  ({ domain }: CellAbout): Piece => ({ text: shortSize(value(domain)) });

/** What a second brings; a dash where nobody counts it. */
const traffic =
  (value: (domain: DomainFrame) => number | null) =>
  ({ domain }: CellAbout): Piece => {
    const found = value(domain);
    return found === 0 ? { text: "0", look: "dim" } : { text: shortSize(found) };
  };

const sum = <T>(items: readonly T[] | null, of: (item: T) => number): number | null =>
  items === null || items.length === 0 ? null : items.reduce((all, each) => all + of(each), 0);

const SHORT_STATES: Readonly<Record<string, string>> = {
  unreachable: "unreach.",
  "guest-panicked": "panicked",
  "internal-error": "error",
  "finish-migrate": "migrating",
  inmigrate: "incoming",
  postmigrate: "migrated",
  "restore-vm": "restoring",
  "save-vm": "saving",
};

/** From which width on there is room for both directions of traffic. */
const BOTH = 120;

/** All columns but the first and the last, which take what is left, in their order. */
export const COLUMNS: readonly Column[] = [
  { title: "STATE", width: 8, rank: 1, order: "state", cell: stateCell },
  { title: "CPU%", width: 6, rank: 2, right: true, order: "cpu", cell: cpuCell },
  { title: "CPU", width: 24, rank: 11, from: 104, cell: curveCell },
  { title: "STEAL", width: 5, rank: 5, right: true, order: "steal", cell: stealCell },
  { title: "vCPU", width: 5, rank: 4, right: true, cell: vcpuCell },
  { title: "MEM", width: 6, rank: 3, right: true, order: "memory", cell: memoryCell },
  { title: "MAX", width: 5, rank: 13, right: true, from: 100, cell: size(({ memory }) => memory.max) },
  { title: "GUEST", width: 5, rank: 8, right: true, cell: guestCell },
  { title: "GUEST USES", width: 14, rank: 14, from: 220, cell: guestBarCell },
  { title: "HOST", width: 6, rank: 6, right: true, order: "host", cell: size(({ memory }) => memory.host) },
  {
    title: "DISK",
    width: 6,
    rank: 9,
    right: true,
    to: BOTH - 1,
    order: "disk",
    cell: traffic(({ disks }) => sum(disks, ({ read, written }) => read + written)),
  },
  {
    title: "READ",
    width: 6,
    rank: 9,
    right: true,
    from: BOTH,
    order: "disk",
    cell: traffic(({ disks }) => sum(disks, ({ read }) => read)),
  },
  { title: "WRITE", width: 6, rank: 9, right: true, from: BOTH, cell: traffic(({ disks }) => sum(disks, ({ written }) => written)) },
  {
    title: "NET",
    width: 6,
    rank: 10,
    right: true,
    to: BOTH - 1,
    order: "net",
    cell: traffic(({ nets }) => sum(nets, ({ received, sent }) => received + sent)),
  },
  {
    title: "IN",
    width: 6,
    rank: 10,
    right: true,
    from: BOTH,
    order: "net",
    cell: traffic(({ nets }) => sum(nets, ({ received }) => received)),
  },
  { title: "OUT", width: 6, rank: 10, right: true, from: BOTH, cell: traffic(({ nets }) => sum(nets, ({ sent }) => sent)) },
  {
    title: "PID",
    width: 8,
    rank: 12,
    right: true,
    from: 130,
    cell: ({ domain: { pid } }) => ({ text: pid === undefined ? "-" : String(pid) }),
  },
  { title: "MARK", width: 4, rank: 7, cell: markCell },
];

function stateCell({ domain: { state }, width }: CellAbout): Piece {
  return { text: cut(state === null ? "-" : (SHORT_STATES[state] ?? state), width, "~"), look: lookOfState(state) };
}

/** How a state looks. */
export function lookOfState(state: DomainFrame["state"]): Look | undefined {
  if (state === "running") return "green";
  if (state === null || state === "stopped") return "dim";
  return ["unreachable", "damaged", "unsafe", "guest-panicked", "internal-error", "io-error", "watchdog"].includes(state)
    ? "red"
    : "yellow";
}

/** A machine whose vCPUs are as busy as can be, and one that waits for CPUs for more than this part of the time, in percent. */
const BUSY = 90;
const WAITS = 10;
const STARVES = 25;

function cpuCell({ domain: { cpu, count, vcpus } }: CellAbout): Piece {
  const most = (count.current ?? vcpus.length) || 1;
  return { text: shortPercent(cpu), look: cpu !== null && cpu / most >= BUSY ? "yellow" : undefined };
}

function stealCell({ domain: { steal, vcpus } }: CellAbout): Piece {
  const each = (steal ?? 0) / Math.max(1, vcpus.length);
  return { text: shortPercent(steal), look: each >= STARVES ? "red" : each >= WAITS ? "yellow" : steal === 0 ? "dim" : undefined };
}

function curveCell({ domain, past, can, width }: CellAbout): Piece {
  const most = 100 * ((domain.count.current ?? domain.vcpus.length) || 1);
  return domain.pid === undefined ? { text: "" } : { text: curve(past, most, width, can), look: "green" };
}

function vcpuCell({ domain: { count } }: CellAbout): Piece {
  const { current, max } = count;
  if (current === null) return { text: max === null ? "-" : `-/${max}` };
  return { text: max === null || max === current ? String(current) : `${current}/${max}` };
}

function memoryCell({ domain: { memory, pid } }: CellAbout): Piece {
  const look = memory.target !== null ? "cyan" : pid === undefined ? "dim" : undefined;
  return { text: shortSize(memory.current), look };
}

/** The part of its memory that a guest uses, from 0 to 1; null where it does not say. */
export function usedByGuest({ memory: { guest } }: DomainFrame): number | null {
  return guest === null || guest.total <= 0 ? null : Math.max(0, 1 - guest.available / guest.total);
}

function guestCell({ domain }: CellAbout): Piece {
  const used = usedByGuest(domain);
  return used === null ? { text: "-" } : { text: `${Math.round(used * 100)}%`, look: used >= BUSY / 100 ? "red" : undefined };
}

function guestBarCell({ domain, can, width }: CellAbout): Piece {
  const used = usedByGuest(domain);
  return used === null ? { text: "" } : { text: bar(used, width, can), look: used >= BUSY / 100 ? "red" : "cyan" };
}

function markCell({ domain, width }: CellAbout): Piece {
  const notes = notesOn(domain);
  const look = notes.some(({ mark }) => mark === "!") ? "red" : "yellow";
  return {
    text: notes
      .map(({ mark }) => mark)
      .join("")
      .slice(0, width),
    look,
  };
}
