import type { Facade } from "../../domain/facade.ts";
import type { ReadOptions } from "../../domain/model/action.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { type Measured, metricsText } from "../metrics.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["metrics"],
  section: "domains",
  summary: "print the figures of all machines, for Prometheus",
  details: [
    "It prints OpenMetrics. --write is for the textfile collector of node_exporter, which reads the older text format: it replaces the file at once, so that nobody reads half of it. Debian has such files in /var/lib/prometheus/node-exporter.",
    "Of a machine that does not run or does not answer there is its state, and nothing else.",
  ],
  examples: [
    ["metrics", "print them"],
    ["metrics --write qmpctl.prom", "put them into a file"],
  ],
  options: {
    write: { about: "write them into this file, which is replaced whole", value: "FILE" },
    timeout: { about: "how long each machine may take to answer (all are asked at once)", value: "TIME" },
  },
  operands: { names: [], required: 0 },
  async run({ args, io, facade }) {
    const measured = await measure(facade, { ...timeoutOf(args), signal: io.signal });
    const file = args.text("write");
    if (file === undefined) io.stdout.write(metricsText(measured, "openmetrics"));
    else await (await import("../../config/safe-file.ts")).replaceFile(file, metricsText(measured, "prometheus"), { mode: 0o644 });
    return EXIT.done;
  },
});

async function measure(facade: Facade, options: ReadOptions): Promise<readonly Measured[]> {
  const domains = await facade.list({ ...options, all: true });
  return Promise.all(
    domains.map(async ({ name, state, live }): Promise<Measured> => {
      if (live === undefined) return { domain: name, state, stats: null };
      await using domain = await facade.open(name);
      const stats = await domain.stats(options);
      return { domain: name, state: stats.state, stats };
    }),
  );
}
