import type { VcpuInfo } from "../../domain/views/inspect.ts";
import { showDuration } from "../duration.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { type Cell, painter, table } from "../output.ts";
import { showing } from "../showing.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["vcpuinfo DOMAIN"],
  section: "vcpus",
  summary: "show each vCPU: thread, last host CPU, time used, pins",
  examples: [
    ["vcpuinfo web1", "show them"],
    ["vcpuinfo web1 --json", "the same for a program"],
  ],
  options: waitOption("how long the machine may take to answer"),
  operands: domainOnly,
  run: (call) =>
    showing(call, {
      read: (domain, options) => domain.vcpus(options),
      draw: (them) => {
        const paint = painter(call.io.stdout, call.io.env);
        return table(them.map(row), { header, right: [0, 2, 4, 5], paint, columns: call.io.stdout.columns });
      },
      isLive: (them) => them.some(({ online }) => online),
    }),
});

const header = ["vCPU", "state", "thread", "name", "on CPU", "time", "live", "config"];

function row(vcpu: VcpuInfo): Cell[] {
  const { tid, cpu, cpuTime } = vcpu;
  return [
    String(vcpu.vcpu),
    vcpu.online ? { text: "online", style: "green" } : { text: "offline", style: "dim" },
    tid === null ? "-" : String(tid),
    vcpu.name ?? "-",
    cpu === null ? "-" : String(cpu),
    cpuTime === null ? "-" : showDuration(cpuTime),
    vcpu.affinity ?? "-",
    vcpu.pin ?? "-",
  ];
}
