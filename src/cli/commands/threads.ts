import type { ThreadInfo } from "../../domain/views/threads.ts";
import { printAs } from "../answer.ts";
import { showDuration, timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { type Cell, painter, table } from "../output.ts";
import { sayUnreachable } from "../unreachable.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["threads DOMAIN"],
  section: "threads",
  summary: "show all threads of QEMU: what each is, its CPUs, policy, time",
  details: [
    "The kernel's own threads that serve vhost devices are among them. The last column is what the config says of a thread, if it says something.",
    "emulatorpin, vcpupin, iothreadpin and vhostpin bind them; emulatorsched, vcpusched and iothreadsched set their policy.",
  ],
  examples: [
    ["threads web1", "show them"],
    ["threads web1 --json", "the same for a program"],
  ],
  options: waitOption("how long the machine may take to answer"),
  operands: domainOnly,
  async run(call) {
    const { args, io, facade } = call;
    const options = { ...timeoutOf(args), signal: io.signal };
    await using domain = await facade.open(args.operand(0));
    const threads = await domain.threads(options);
    const paint = painter(io.stdout, io.env);
    printAs(call, threads, (them) => table(them.map(row), { header, right: [0, 5, 6], paint, columns: io.stdout.columns }));
    return threads.length > 0 ? EXIT.done : await sayUnreachable(domain, io, options);
  },
});

const header = ["thread", "is", "name", "CPUs", "policy", "on", "time", "config"];

function row(thread: ThreadInfo): Cell[] {
  const { tid, name, affinity, policy, cpu, cpuTime, pin, sched } = thread;
  const said = [pin, sched].filter((each) => each !== null).join(", ");
  return [
    String(tid),
    roleOf(thread),
    name ?? "-",
    affinity ?? "-",
    policy === null || policy === "other" ? (policy ?? "-") : { text: policy, style: "yellow" },
    cpu === null ? "-" : String(cpu),
    cpuTime === null ? "-" : showDuration(cpuTime),
    said === "" ? "-" : said,
  ];
}

function roleOf({ role, of, isKernel }: ThreadInfo): string {
  if (role === "vcpu") return `vCPU ${of}`;
  if (role === "iothread") return `iothread ${of}`;
  if (role === "former-vcpu") return "left by vCPU";
  return isKernel === true ? `${role} (kernel)` : role;
}
