import type { VcpuInfo } from "../../domain/views/inspect.ts";
import { printAs } from "../answer.ts";
import { showDuration, timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { type Cell, painter, table } from "../output.ts";
import { sayUnreachable } from "../unreachable.ts";
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
  async run(call) {
    const { args, io, facade } = call;
    const options = { ...timeoutOf(args), signal: io.signal };
    await using domain = await facade.open(args.operand(0));
    const vcpus = await domain.vcpus(options);
    const paint = painter(io.stdout, io.env);
    printAs(call, vcpus, (them) => table(them.map(row), { header, right: [0, 2, 4, 5], paint, columns: io.stdout.columns }));
    return vcpus.some(({ online }) => online) ? EXIT.done : await sayUnreachable(domain, io, options);
  },
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
