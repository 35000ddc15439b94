import type { Facade } from "../../domain/facade.ts";
import type { ReadOptions } from "../../domain/model/action.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { metricsText } from "../metrics.ts";
import { misuse } from "../options.ts";
import { toJson } from "../output.ts";
import type { DomainFigures } from "../schema/stats.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["metrics"],
  section: "domains",
  summary: "print the figures of all machines, for Prometheus",
  details: [
    "It prints OpenMetrics. --write is for the textfile collector of node_exporter, which reads the older text format: it replaces the file at once, so that nobody reads half of it. Debian has such files in /var/lib/prometheus/node-exporter.",
    "--unit prints a unit of systemd that does this every 15 s: a service, and the timer that starts it. Root puts them into /etc/systemd/system as qmpctl-metrics.service and qmpctl-metrics.timer, another user into ~/.config/systemd/user. Then systemctl [--user] enable --now qmpctl-metrics.timer. Without --write, the service writes Debian's file qmpctl.prom.",
    "Of a machine that does not run or does not answer there is its state, and nothing else. With --json it is a list of what `stats` answers.",
  ],
  examples: [
    ["metrics", "print them"],
    ["metrics --write qmpctl.prom", "put them into a file"],
    ["metrics --unit service", "the unit for qmpctl-metrics.service"],
  ],
  options: {
    write: { about: "write them into this file, which is replaced whole", value: "FILE" },
    unit: { about: "print a unit of systemd that writes them: its service, or its timer", value: "service|timer" },
    timeout: { about: "how long each machine may take to answer (all are asked at once)", value: "TIME" },
  },
  operands: { names: [], required: 0 },
  async run({ args, io, facade }) {
    const unit = args.text("unit");
    if (args.text("write") === "") throw misuse("--write: the file's name is missing", "", "a file, as qmpctl.prom");
    if (unit !== undefined) {
      if (facade.isElsewhere === true) throw misuse("--unit: a unit is of this host", unit, "qmpctl metrics --unit, on that host");
      io.stdout.write((await import("../metrics-unit.ts")).metricsUnit(unit, args.text("write"), io.env));
      return EXIT.done;
    }
    if (args.flag("json") && args.text("write") !== undefined)
      throw misuse("--json and --write: give only one", args.text("write"), "--write for Prometheus, --json for other programs");
    const figures = await measure(facade, { ...timeoutOf(args), signal: io.signal });
    const measured = figures.map(({ state, ...stats }) => ({ domain: stats.name, state, stats }));
    const file = args.text("write");
    if (args.flag("json")) io.stdout.write(`${toJson(figures)}\n`);
    else if (file === undefined) io.stdout.write(metricsText(measured, "openmetrics"));
    else await (await import("../../config/safe-file.ts")).replaceFile(file, metricsText(measured, "prometheus"), { mode: 0o644 });
    return EXIT.done;
  },
});

async function measure(facade: Facade, options: ReadOptions): Promise<readonly DomainFigures[]> {
  const domains = await facade.list({ ...options, all: true });
  return Promise.all(
    domains.map(async ({ name, state, live, reason }): Promise<DomainFigures> => {
      if (live !== undefined) {
        await using domain = await facade.open(name);
        return await domain.stats(options);
      }
      const why = reason === undefined ? {} : { reason };
      return { name, state, at: new Date().toISOString(), ...why, vcpus: [], memory: null, disks: [], nets: [] };
    }),
  );
}
