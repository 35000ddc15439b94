import { usedByGuest } from "./columns.ts";
import { bar, type Capabilities, type Line, type Piece } from "./drawing.ts";
import type { DomainFrame, VcpuFrame } from "./frame.ts";
import { notesOn } from "./notes.ts";
import { cut, pad, shortPercent, shortSize } from "./text.ts";

/** The widest bar of a vCPU. */
const WIDEST = 60;
const INDENT = "      ";

/** What an open domain shows below its line: its vCPUs, its memory, its disks and nets, and what is noted of it. */
export function detailLines(domain: DomainFrame, can: Capabilities): readonly Line[] {
  const { vcpus, disks, nets, pid, asked } = domain;
  const arrow = can.unicode ? "→" : "->";
  const more = can.unicode ? "…" : "~";
  const line = (title: string, text: string, look?: Piece["look"]): Line => [
    { text: `${INDENT}${pad(title, 9)}`, look: "dim" },
    { text: cut(text, can.columns - INDENT.length - 9, more), look },
  ];
  return [
    ...vcpus.map((each) => vcpuLine(each, can)),
    line("memory", memoryWords(domain, arrow)),
    ...(disks ?? []).map((each) =>
      line(
        `disk ${cut(each.disk, 20, more)}`,
        `  read ${shortSize(each.read)}/s, written ${shortSize(each.written)}/s, ${each.requests} requests/s`,
      ),
    ),
    ...nets.map((each) =>
      line(`net ${cut(each.interface, 20, more)}`, `  in ${shortSize(each.received)}/s, out ${shortSize(each.sent)}/s`),
    ),
    ...notesOn(domain, arrow).map(({ words }) => line("note", words, "yellow")),
    ...(pid === undefined
      ? []
      : [line("process", `${pid}${asked === null ? "" : `, QEMU answered ${(asked / 1000).toFixed(0)}s ago`}`, "dim")]),
  ];
}

function vcpuLine({ vcpu, on, cpu, steal }: VcpuFrame, can: Capabilities): Line {
  const width = Math.max(10, Math.min(WIDEST, can.columns - 54));
  return [
    { text: `${INDENT}${pad(`vCPU ${vcpu}`, 9)}`, look: "dim" },
    { text: "[" },
    { text: bar((cpu ?? 0) / 100, width, can), look: (steal ?? 0) >= 25 ? "red" : "green" },
    { text: `] ${pad(shortPercent(cpu), 5, true)}%  steal ${pad(shortPercent(steal), 5, true)}%` },
    { text: on === null ? "" : `  on CPU ${on}`, look: "dim" },
  ];
}

function memoryWords(domain: DomainFrame, arrow: string): string {
  const { current, target, max, host, cgroup, guest } = domain.memory;
  const used = usedByGuest(domain);
  return [
    `${shortSize(current)}${target === null ? "" : ` ${arrow} ${shortSize(target)}`} of ${shortSize(max)}`,
    ...(guest === null || used === null
      ? []
      : [`guest uses ${shortSize(guest.total - guest.available)} of ${shortSize(guest.total)} (${Math.round(used * 100)}%)`]),
    ...(host === null ? [] : [`host ${shortSize(host)}`]),
    ...(cgroup === null ? [] : [`cgroup ${shortSize(cgroup)}`]),
  ].join(", ");
}
