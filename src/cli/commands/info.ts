import { showMoment } from "../../domain/ends/show-moment.ts";
import { commandLine } from "../../domain/model/format.ts";
import type { DomainInfo } from "../../domain/views/inspect.ts";
import { showDuration } from "../duration.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { type Cell, painter, showSize, table } from "../output.ts";
import { showing } from "../showing.ts";
import { defineVerb, type Io, type Verb } from "../verb.ts";
import { stateStyles } from "./list.ts";

export const verb: Verb = defineVerb({
  usage: ["info DOMAIN"],
  section: "domains",
  summary: "show the machine's state, and its values in the config and live",
  details: [
    "config is for the next start, live what QEMU has. guest is what the guest has online, by its agent. host is what QEMU has in this host's RAM, for the guest and for itself.",
  ],
  examples: [
    ["info web1", "show it"],
    ["info web1 --json", "for a program"],
  ],
  options: waitOption("how long the machine may take to answer"),
  operands: domainOnly,
  run: (call) =>
    showing(call, {
      read: (domain, options) => domain.info(options),
      draw: (it) => show(it, call.io),
      // It says itself when the machine can't be reached.
      isLive: () => true,
    }),
});

function show(info: DomainInfo, io: Io): string {
  const paint = painter(io.stdout, io.env);
  const facts: Cell[][] = [
    ["name", info.name],
    [
      "state",
      {
        text: info.status === undefined || info.status === info.state ? info.state : `${info.state} (${info.status})`,
        style: stateStyles[info.state],
      },
    ],
  ];
  if (info.reason !== undefined) facts.push(["why", info.reason]);
  if (info.interrupted !== undefined)
    facts.push(["resolve", `${info.interrupted}: ${commandLine("recover", info.name)} --finish, or --undo, or --forget`]);
  if (info.ended !== undefined) facts.push(["ended", `${info.ended.at === null ? "" : `${info.ended.at}: `}${info.ended.why}`]);
  facts.push(...endRows(info));
  if (info.guest?.unknown !== undefined) facts.push(["guest", `unknown: ${info.guest.unknown}`]);
  if (info.pid !== undefined) facts.push(["pid", String(info.pid)]);
  if (info.uptime !== undefined) facts.push(["up for", showDuration(info.uptime)]);
  const emulator = [info.emulator, info.version === undefined ? undefined : `QEMU ${info.version}`].filter((part) => part !== undefined);
  if (emulator.length > 0) facts.push(["emulator", emulator.join(", ")]);
  facts.push(["config", info.configPath ?? (info.transient ? "none: the domain is transient" : "-")]);
  if (!info.transient) facts.push(["autostart", info.autostart === true ? "yes, it starts with the host" : "no"]);
  const { columns } = io.stdout;
  const more = [hostColumn(info), guestColumn(info)].filter((column) => column !== undefined);
  const header = ["", "config", "live", ...more.map(({ name }) => name)];
  const rows = allocation(info).map((cells) => [...cells, ...more.map(({ values }) => values[cells[0] ?? ""] ?? "-")]);
  return `${table(facts, { paint, columns })}\n${table(rows, { header, right: [1, 2, 3, 4], paint, columns })}`;
}

/** Changes that end by themselves, and how the last one did. */
function endRows({ ends = [], lastEnd, endsUnreadable, name }: DomainInfo): Cell[][] {
  if (endsUnreadable !== undefined) return [["until", `not known: ${endsUnreadable}`]];
  const armed = ends.flatMap(({ key, until, timer, what, overdue, failure }): Cell[][] => {
    const late = overdue === true ? `overdue; ${commandLine("revert", name, "--end", key)}: ` : "";
    const failed: Cell[][] = failure === undefined ? [] : [["end failed", { text: failure, style: "red" }]];
    return [["until", { text: `${showMoment(until)}: ${late}${what} (end ${key}, ${timer})`, style: "yellow" }], ...failed];
  });
  if (lastEnd === undefined) return armed;
  return [...armed, ["last end", `${showMoment(lastEnd.at)}: ${lastEnd.outcome}: ${lastEnd.notes.join("; ")}`]];
}

/** A column beside the two halves, where there is one: its values by the names of the rows. */
type Column = { readonly name: string; readonly values: Readonly<Record<string, string>> } | undefined;

function hostColumn({ live }: DomainInfo): Column {
  return live?.host === undefined ? undefined : { name: "host", values: { memory: showSize(live.host) } };
}

/** What the guest has online: all that was given to it, whatever the balloon takes. */
function guestColumn({ guest, config, live }: DomainInfo): Column {
  if (guest === undefined) return undefined;
  if (guest.unknown !== undefined) return { name: "guest", values: { vCPUs: "unknown" } };
  const memory = guest.memory === null ? {} : { [hasVirtioMem({ config, live }) ? ALL : "max memory"]: showSize(guest.memory) };
  return { name: "guest", values: { ...memory, ...(guest.vcpus === null ? {} : { vCPUs: String(guest.vcpus) }) } };
}

/** The row of all memory, with what virtio-mem gives. */
const ALL = "all memory";

function hasVirtioMem({ config, live }: Sides): boolean {
  return [config?.virtioMem, live?.virtioMem, live?.virtioMemTarget].some((size) => size !== undefined);
}

interface Sides {
  readonly config: DomainInfo["config"] | undefined;
  readonly live: DomainInfo["live"] | undefined;
}

function virtioMemRows({ config, live }: Sides): string[][] {
  if (!hasVirtioMem({ config, live })) return [];
  const all = (side: DomainInfo["live"] | undefined): string =>
    side === undefined ? "-" : showSize((side.maxMemory ?? 0) + (side.virtioMem ?? 0));
  const given = (side: DomainInfo["live"] | undefined): string => (side === undefined ? "-" : showSize(side.virtioMem ?? 0));
  const asked = live?.virtioMemTarget === undefined ? "" : ` of ${showSize(live.virtioMemTarget)}`;
  return [
    ["virtio-mem", given(config), given(live) + asked],
    [ALL, all(config), all(live)],
  ];
}

function allocation({ config, live }: DomainInfo): string[][] {
  const size = (bytes: number | null = null): string => (bytes === null ? "-" : showSize(bytes));
  const count = (n: number | null = null): string => (n === null ? "-" : String(n));
  return [
    ["memory", size(config?.memory), size(live?.memory)],
    ["max memory", size(config?.maxMemory), size(live?.maxMemory)],
    ...(live?.dimms === undefined && config?.dimms === undefined
      ? []
      : [["of it DIMMs", config === undefined ? "-" : size(config.dimms ?? 0), live === undefined ? "-" : size(live.dimms ?? 0)]]),
    ...virtioMemRows({ config, live }),
    ["vCPUs", count(config?.vcpus), count(live?.vcpus)],
    ["max vCPUs", count(config?.maxVcpus), count(live?.maxVcpus)],
  ];
}
