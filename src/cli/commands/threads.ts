import type { ThreadInfo } from "../../domain/views/threads.ts";
import { showDuration } from "../duration.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { type Cell, painter, table } from "../output.ts";
import { showing } from "../showing.ts";
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
  run: (call) =>
    showing(call, {
      read: (domain, options) => domain.threads(options),
      draw: (them) => {
        const paint = painter(call.io.stdout, call.io.env);
        return table(them.map(row), { header, right: [0, 5, 6], paint, columns: call.io.stdout.columns });
      },
      isLive: (them) => them.length > 0,
    }),
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
