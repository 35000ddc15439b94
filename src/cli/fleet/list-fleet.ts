import { askHosts } from "../../remote/fleet/ask-fleet.ts";
import { NONE_DEFINED, NONE_RUN, showDomains } from "../commands/list.ts";
import { timeoutOf } from "../duration.ts";
import { evidenceOf, wording } from "../failure.ts";
import { flow, toJson } from "../output.ts";
import { exitCodeOfReading, type FleetCall } from "./fleet-call.ts";
import { FleetProgressLine } from "./fleet-progress.ts";
import { sayTrouble } from "./read-fleet.ts";

/** Lists the domains of all hosts in one table. */
export async function listFleet({ crew, io, args, how }: FleetCall): Promise<number> {
  using line = new FleetProgressLine(io);
  const all = args.flag("all" as never);
  const options = { ...timeoutOf(args as never), all, signal: io.signal };
  const answers = await askHosts(crew, (host) => host.list(options), {
    ...how.many,
    signal: io.signal,
    onProgress: (done, of) => line.show(`${done} of ${of} hosts asked`),
  });
  line[Symbol.dispose]();
  const domains = answers.flatMap(({ host, value = [] }) => value.map((info) => ({ host, info })));
  const failed = answers.flatMap(({ host, error }) =>
    error === undefined ? [] : [{ host, domain: null, error, trouble: wording(error) }],
  );
  if (args.flag("json")) {
    const found = domains.map(({ host, info }) => ({ host, domain: info.name, value: info }));
    io.stdout.write(`${toJson([...found, ...failed.map(({ host, error }) => ({ host, domain: null, error: evidenceOf(error) }))])}\n`);
  } else if (domains.length > 0) {
    const hosts = domains.map(({ host }) => host);
    const infos = domains.map(({ info }) => info);
    io.stdout.write(showDomains(infos, io, hosts));
  } else if (failed.length === 0) io.stderr.write(flow(all ? NONE_DEFINED : NONE_RUN, io.stderr.columns));
  sayTrouble(failed, io);
  return exitCodeOfReading(io, failed.length > 0);
}
