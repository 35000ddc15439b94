import { bar, type Capabilities, type Line, type Look, type Piece } from "./drawing.ts";
import type { Frame } from "./frame.ts";
import { cut, pad, shortPercent, shortSize, widthOf } from "./text.ts";
import type { View } from "./view.ts";

/** The widest bar. */
const WIDEST = 50;
/** What the lines with bars have beside them. */
const BESIDE = 62;

/** The lines about the host and all domains together. */
export function headLines(frame: Frame, view: View, can: Capabilities): readonly Line[] {
  const { host } = frame;
  const { memory, pressure } = host;
  const used = memory.total - memory.available;
  const swap = memory.swap === 0 ? "no swap" : `swap ${shortSize(memory.swap - memory.swapFree)} of ${shortSize(memory.swap)}`;
  const waits = (value: number | null): string => (value === null ? "-" : value.toFixed(1));
  const pressures = `pressure cpu ${waits(pressure.cpu)} mem ${waits(pressure.memory)} io ${waits(pressure.io)}`;
  const stolen = host.stolen === null || host.stolen === 0 ? "" : `, ${shortPercent(host.stolen)}% stolen`;
  return [
    titleLine(frame, view, can),
    barLine("CPU", (host.busy ?? 0) / 100, `${shortPercent(host.busy)}% of ${host.cpus}${stolen}`, pressures, can),
    barLine("RAM", memory.total === 0 ? 0 : used / memory.total, `${shortSize(used)} of ${shortSize(memory.total)}`, swap, can),
    sumLine(frame, can),
  ];
}

function titleLine({ time, host }: Frame, view: View, { columns }: Capabilities): Line {
  const clock = new Date(time).toTimeString().slice(0, 8);
  const every = view.isPaused ? "paused" : `every ${shownTime(view.every)}`;
  const load = `load ${host.load.map((each) => each.toFixed(2)).join(" ")}`;
  const name = cut(host.name, Math.max(4, columns - 11 - clock.length - every.length - load.length - 8), "~");
  const left: readonly Piece[] = [
    { text: "qmpctl top", look: "bold" },
    { text: `  ${name}  ${clock}  ` },
    { text: every, look: view.isPaused ? "reverse" : "dim" },
  ];
  const room = columns - left.reduce((all, { text }) => all + widthOf(text), 0);
  return room > load.length ? [...left, { text: pad(load, room, true) }] : left;
}

/** Milliseconds as they are typed. */
export function shownTime(time: number): string {
  return time < 1000 ? `${time}ms` : `${Math.round(time / 100) / 10}s`;
}

function barLine(title: string, part: number, figure: string, beside: string, can: Capabilities): Line {
  const width = Math.max(0, Math.min(WIDEST, can.columns - BESIDE));
  const look: Look = part >= 0.9 ? "red" : part >= 0.7 ? "yellow" : "green";
  const drawn = width < 4 ? [] : [{ text: "[" }, { text: bar(part, width, can), look }, { text: "] " }];
  const head: Line = [{ text: `${title} `, look: "bold" }, ...drawn, { text: pad(figure, 18) }];
  const used = head.reduce((all, { text }) => all + widthOf(text), 0);
  return can.columns - used - 2 < beside.length ? head : [...head, { text: `  ${beside}` }];
}

function sumLine({ host, sum }: Frame, { columns }: Capabilities): Line {
  const { domains, others, running, paused, stopped, vcpus, memory } = sum;
  const states = (
    [
      [running, "running"],
      [paused, "paused"],
      [stopped, "stopped"],
      // Silent, crashed, damaged: STATE says which.
      [domains - running - paused - stopped, "otherwise"],
    ] as const
  ).filter(([many]) => many > 0);
  const many = states.map(([count, word]) => `${count} ${word}`).join(", ");
  const counted = `${domains} domain${domains === 1 ? "" : "s"}${states.length === 0 ? "" : ": "}${many}`;
  const times = (given: number, of: number): string => (of === 0 ? "" : ` (${(given / of).toFixed(given / of < 10 ? 1 : 0)}x)`);
  const parts = [
    `${vcpus} vCPU${vcpus === 1 ? "" : "s"}${times(vcpus, host.cpus)}`,
    `${shortSize(memory)} given${times(memory, host.memory.total)}`,
    `${shortSize(sum.host)} used`,
    ...(others === 0 ? [] : [`${others} without a config`]),
  ];
  // What does not fit is left out: half a figure would be another one.
  let text = counted;
  for (const part of parts) {
    if (text.length + part.length + 3 > columns) break;
    text += `   ${part}`;
  }
  return [{ text }];
}
