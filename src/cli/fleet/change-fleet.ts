import type { DefineSource } from "../../domain/lifecycle/source.ts";
import type { FleetProgress } from "../../remote/fleet/campaign.ts";
import { workOverFleet } from "../../remote/fleet/campaign.ts";
import { defineWork } from "../../remote/fleet/define-work.ts";
import { domainWork, type FleetWork } from "../../remote/fleet/work.ts";
import { addressOf, readdressed } from "../../remote/readdress.ts";
import { toJson } from "../output.ts";
import type { Call } from "../verb.ts";
import { captured } from "./captured.ts";
import { exitCodeOfFleet, type FleetCall } from "./fleet-call.ts";
import { fleetJson } from "./fleet-json.ts";
import { FleetProgressLine } from "./fleet-progress.ts";
import { NOBODY } from "./nobody.ts";
import { showFleet } from "./show-fleet.ts";

/** Runs a verb that changes domains over a fleet: planned everywhere first, by the verb's own `run`. */
export async function changeFleet(call: FleetCall): Promise<number> {
  const { args, io, callFor, stdin, verb, domain: meant } = call;
  const dryRun = Object.hasOwn(verb.options, "dry-run") && args.flag("dry-run" as never);
  const work = domainWork(meant, {
    dryRun,
    async run(domain, { member, note }) {
      const own = captured(io, stdin);
      try {
        const facade = { ...NOBODY, open: async () => domain };
        await verb.run(callFor(domain.name, facade, own.io));
      } finally {
        for (const line of notesIn(own.words.text)) note(readdressed(line, addressOf(member.address, domain.name), domain.name));
      }
    },
  });
  return doWork(call, work);
}

/** What a verb says besides its answer. */
function notesIn(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/^note: /, ""))
    .filter((line) => line !== "");
}

/** Defines a domain on each host. */
export async function defineOverFleet(call: FleetCall): Promise<number> {
  const { callFor, io, stdin, verb } = call;
  let asked: { readonly source: DefineSource; readonly name?: string; readonly replace?: boolean } | undefined;
  // The verb reads its own words: what it would ask of one host is asked of all.
  const define: Call["facade"]["define"] = (source, options) => {
    asked = { source, ...options };
    return Promise.resolve({ domain: { name: "", configPath: undefined }, notes: [] });
  };
  await verb.run(callFor("", { ...NOBODY, define }, captured(io, stdin).io));
  if (asked === undefined) throw new Error("define asked for nothing");
  return doWork(call, await defineWork(asked.source, asked));
}

async function doWork(call: FleetCall, work: FleetWork): Promise<number> {
  const { crew, how, io, args, name } = call;
  using line = new FleetProgressLine(io);
  const onProgress = ({ phase, done, of }: FleetProgress): void =>
    line.show(phase === "planning" ? `${done} of ${of} hosts planned` : `${done} of ${of} done`);
  const report = await workOverFleet(crew, work, { ...how.many, signal: io.signal, onProgress });
  line[Symbol.dispose]();
  if (args.flag("json")) io.stdout.write(`${toJson(fleetJson(report))}\n`);
  else await showFleet(report, { crew, io, verb: name, wherePossible: how.many?.wherePossible === true });
  return exitCodeOfFleet(report.outcome);
}
