import { askHosts } from "../../remote/fleet/ask-fleet.ts";
import { EXIT } from "../exit-code.ts";
import { evidenceOf, wording } from "../failure.ts";
import { flow, painter, toJson } from "../output.ts";
import { captured } from "./captured.ts";
import { exitCodeOfReading, type FleetCall } from "./fleet-call.ts";
import { sayTrouble } from "./read-fleet.ts";

/** Asks all hosts for what became of a key: the one that knows it says so. */
export async function outcomeOverFleet({ crew, io, args, verb, callFor, stdin, how }: FleetCall): Promise<number> {
  const key = args.operand(0);
  const answers = await askHosts(crew, (host) => host.outcome(key, { signal: io.signal }), { ...how.many, signal: io.signal });
  const failed = answers.flatMap(({ host, error }) =>
    error === undefined ? [] : [{ host, domain: null, error, trouble: wording(error) }],
  );
  const known = answers.filter(({ value }) => value !== undefined && value.state !== "unknown");
  if (args.flag("json")) {
    const told = answers.map(({ error, ...answer }) => (error === undefined ? answer : { ...answer, error: evidenceOf(error) }));
    io.stdout.write(`${toJson(told)}\n`);
  }
  const codes: number[] = [];
  for (const { host, value } of known) {
    const own = captured(io, stdin);
    const facade = { outcome: async () => value } as never;
    codes.push(await verb.run(callFor("", facade, own.io)));
    if (!args.flag("json")) io.stdout.write(`${painter(io.stdout, io.env)(`${host}:`, "bold")}\n${own.answer.text}`);
  }
  sayTrouble(failed, io);
  if (codes.length > 0) return io.signal.aborted ? EXIT.interrupted : Math.max(...codes);
  if (failed.length > 0 || io.signal.aborted) return exitCodeOfReading(io, true);
  if (!args.flag("json")) io.stdout.write(flow("unknown on every host", io.stdout.columns));
  return EXIT.refused;
}
