import { askHosts } from "../../remote/fleet/ask-fleet.ts";
import { evidenceOf, wording } from "../failure.ts";
import { flow, toJson } from "../output.ts";
import { NO_QEMU, showRunning } from "../running.ts";
import { exitCodeOfReading, type FleetCall } from "./fleet-call.ts";
import { FleetProgressLine } from "./fleet-progress.ts";
import { sayTrouble } from "./read-fleet.ts";

/** Lists the QEMUs of all hosts in one table. */
export async function runningOfFleet({ crew, io, args, how }: FleetCall): Promise<number> {
  using line = new FleetProgressLine(io);
  const answers = await askHosts(crew, (host) => host.running({ signal: io.signal }), {
    ...how.many,
    signal: io.signal,
    onProgress: (done, of) => line.show(`${done} of ${of} hosts asked`),
  });
  line[Symbol.dispose]();
  const found = answers.flatMap(({ host, value = [] }) => value.map((qemu) => ({ host, qemu })));
  const failed = answers.flatMap(({ host, error }) =>
    error === undefined ? [] : [{ host, domain: null, error, trouble: wording(error) }],
  );
  if (args.flag("json")) {
    const told = found.map(({ host, qemu }) => ({ host, domain: null, value: qemu }));
    io.stdout.write(`${toJson([...told, ...failed.map(({ host, error }) => ({ host, domain: null, error: evidenceOf(error) }))])}\n`);
  } else if (found.length > 0) {
    const hosts = found.map(({ host }) => host);
    io.stdout.write(
      showRunning(
        found.map(({ qemu }) => qemu),
        io,
        hosts,
      ),
    );
  } else if (failed.length === 0) io.stderr.write(flow(NO_QEMU, io.stderr.columns));
  sayTrouble(failed, io);
  return exitCodeOfReading(io, failed.length > 0);
}
