import type { VcpuInfo } from "../../domain/views/inspect.ts";
import { printAs } from "../answer.ts";
import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { painter, table } from "../output.ts";
import { sayUnreachable } from "../showing.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["vcpupin DOMAIN VCPU CPULIST", "vcpupin DOMAIN [VCPU]"],
  section: "vcpus",
  summary: "bind a vCPU to CPUs of the host, or show the bindings",
  details: ["CPULIST is a list of host CPUs, such as 0-3,8 or 0-7,^4. all removes the binding. vCPUs count from 0."],
  examples: [
    ["vcpupin web1", "show the bindings of all vCPUs"],
    ["vcpupin web1 1 2-3 --both", "vCPU 1 to CPUs 2 and 3, now and at the next start"],
    ["vcpupin web1 1 2-3 --until 07:00", "vCPU 1 to CPUs 2 and 3 until the morning"],
  ],
  options: changeOptions,
  operands: { names: ["DOMAIN", "VCPU", "CPULIST"], required: 1 },
  async run(call) {
    const [, vcpuText, cpus] = call.args.operands;
    const vcpu = vcpuText === undefined ? undefined : parseCount(vcpuText, "VCPU");
    if (vcpu === undefined || cpus === undefined) return show(call, vcpu);
    return change(call, (domain, options) => domain.change({ resource: "vcpu-pin", vcpu, cpus }, options));
  },
});

async function show(call: Call<never, "timeout">, wanted: number | undefined): Promise<number> {
  const { args, io, facade } = call;
  const options = { ...timeoutOf(args), signal: io.signal };
  await using domain = await facade.open(args.operand(0));
  const all = await domain.vcpus(options);
  const vcpus = wanted === undefined ? all : all.filter(({ vcpu }) => vcpu === wanted);
  if (vcpus.length === 0 && wanted !== undefined && all.length > 0)
    throw misuse(`vCPU ${wanted}: ${domain.name} has no such vCPU`, wanted, `0 to ${all.length - 1}`);
  const paint = painter(io.stdout, io.env);
  printAs(call, vcpus, (them) =>
    table(them.map(row), { header: ["vCPU", "config", "live"], right: [0], paint, columns: io.stdout.columns }),
  );
  return all.some(({ online }) => online) ? EXIT.done : await sayUnreachable(domain, io, options);
}

function row({ vcpu, pin, affinity }: VcpuInfo): string[] {
  return [String(vcpu), pin ?? "-", affinity ?? "-"];
}
