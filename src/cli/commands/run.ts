import type { RunStep } from "../../domain/model/action.ts";
import { printAnswer } from "../answer.ts";
import { showDuration, timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly, started, waitOption } from "../lifecycle.ts";
import { misuse } from "../options.ts";
import { flow, noteLine } from "../output.ts";
import { progressLine } from "../progress.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";
import { shutdownOption, shutdownTimeoutOf } from "./unit.ts";

export const verb: Verb = defineVerb({
  usage: ["run DOMAIN"],
  section: "power",
  summary: "start the machine and stay until it ends, for a supervisor",
  details: [
    "For systemd (qmpctl unit writes the unit), runit, s6, a container, or a terminal. Every other verb works on the machine meanwhile; a reboot of its guest, or a restart, does not end it.",
    "SIGTERM, SIGINT or SIGHUP: the guest is asked to shut down. If it does not in time, or at a second signal, the machine is ended.",
    "The exit code is 0 if it ended in order: the guest powered off, or a command ended it. It is 1 if it crashed, was killed, or had to be ended by force.",
    "If run itself is killed (SIGKILL): systemd ends the machine with its unit; elsewhere it goes on, as after start.",
  ],
  examples: [
    ["run web1", "until it ends, or Ctrl-C shuts it down"],
    ["run web1 --shutdown-timeout 5m", "for a guest that takes long to shut down"],
  ],
  options: {
    paused: { about: "start with its vCPUs paused; `resume` lets them run" },
    ...shutdownOption,
    ...waitOption("how long it may take to come up (default: 60 s)"),
  },
  operands: domainOnly,
  async run(call) {
    const { args, io, facade } = call;
    const options = { paused: args.flag("paused"), ...timeoutOf(args), ...shutdownTimeoutOf(args) };
    if (facade.run === undefined)
      throw misuse(
        "run: it stays with the machine until that ends, so it has to be on the machine's own host",
        "run",
        "start DOMAIN over -H, or autostart DOMAIN, which has systemd run it there",
      );
    using line = progressLine(io);
    const report = await facade.run(args.operand(0), {
      ...options,
      signal: io.signal,
      hurry: io.secondInterrupt?.(),
      ...(line.onProgress === undefined ? {} : { onProgress: line.onProgress }),
      onStep: (step) => {
        line[Symbol.dispose]();
        tell(call, step);
      },
    });
    line[Symbol.dispose]();
    const { name, how, clean } = report;
    printAnswer(call, { json: report, lines: [`${name}: ended: ${how}`] });
    return clean ? EXIT.done : EXIT.failed;
  },
});

/** One line for each thing, as logs take them. The answer in JSON is one value: with that, they go to stderr. */
function tell({ args, io }: Call<never, never>, step: RunStep): void {
  const sink = args.flag("json") ? io.stderr : io.stdout;
  const { lines, notes = [] } = said(step);
  sink.write([...lines.map((line) => flow(line, sink.columns)), ...notes.map((note) => noteLine(note, sink.columns))].join(""));
}

function said(step: RunStep): { readonly lines: readonly string[]; readonly notes?: readonly string[] } {
  switch (step.what) {
    case "started":
      return started(step.report);
    case "stopping":
      return { lines: [`${step.name}: the guest is asked to shut down, and has ${showDuration(step.timeout)}`] };
    case "destroying":
      return { lines: [`${step.name}: it is ended by force: ${step.why.replace(`${step.name}: `, "")}`] };
    case "remark":
      return { lines: [], notes: [step.text] };
  }
}
