import type { DomainStats } from "../../domain/views/stats.ts";
import { showDuration } from "../duration.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { flow, painter, showSize, table } from "../output.ts";
import { showing } from "../showing.ts";
import { defineVerb, type Io, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["stats DOMAIN"],
  section: "domains",
  summary: "show what the machine has used: CPU time, disks, nets",
  details: [
    "Each figure is since QEMU was started. waited is how long a vCPU could have run and got no CPU of the host: the guest calls that steal.",
    "Disks are counted by QEMU. Nets are TAP interfaces, counted by the host from the guest's side; what QEMU does in user space nobody counts.",
  ],
  examples: [
    ["stats web1", "show the figures"],
    ["stats web1 --json", "the same for a program, in bytes and milliseconds"],
  ],
  options: waitOption("how long the machine may take to answer"),
  operands: domainOnly,
  run: (call) =>
    showing(call, {
      read: (domain, options) => domain.stats(options),
      draw: (them) => show(them, call.io),
      isLive: ({ memory }) => memory !== null,
    }),
});

function show(stats: DomainStats, io: Io): string {
  const { columns } = io.stdout;
  const paint = painter(io.stdout, io.env);
  const time = (milliseconds: number | null): string => (milliseconds === null ? "-" : showDuration(milliseconds));
  const draw = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
    rows.length === 0 ? "" : table(rows, { header, right: header.slice(1).map((_, at) => at + 1), paint, columns });
  const { memory, uptime, cpuTime, vcpus, disks, nets } = stats;
  const parts = [
    flow(`${stats.name} is ${stats.state}${uptime === undefined ? "" : `, for ${showDuration(uptime)}`}`, columns),
    memory === null ? "" : flow(`memory: ${showSize(memory.current)} of ${showSize(memory.max)}${hostPart(memory.host)}`, columns),
    cpuTime === undefined ? "" : flow(`CPU time: ${showDuration(cpuTime)}, with QEMU's own`, columns),
    draw(
      ["vCPU", "ran", "waited"],
      vcpus.map((each) => [String(each.vcpu), time(each.cpuTime), time(each.waitTime)]),
    ),
    draw(
      ["disk", "read", "written", "reads", "writes", "flushes", "failed"],
      disks.map((each) => [
        each.disk,
        showSize(each.readBytes),
        showSize(each.writtenBytes),
        ...[each.reads, each.writes, each.flushes, each.failedReads + each.failedWrites].map(String),
      ]),
    ),
    draw(
      ["net", "received", "sent", "dropped"],
      nets.map((each) => [each.interface, showSize(each.receivedBytes), showSize(each.sentBytes), String(each.receivedDropped)]),
    ),
  ];
  return parts.filter((part) => part !== "").join("");
}

function hostPart(host: number | undefined): string {
  return host === undefined ? "" : `, ${showSize(host)} of the host's RAM`;
}
