import { forMany } from "../../remote/fleet/many-listeners.ts";
import { misuse } from "../options.ts";
import type { Call, Io } from "../verb.ts";
import { captured, stdinForMany } from "./captured.ts";
import type { FleetCall, FleetLine } from "./fleet-call.ts";
import { type Rehearsal, rehearse } from "./rehearsal.ts";

/** Runs a verb over a fleet and resolves with the exit code. @throws UsageError when the line is wrong: then nobody was asked */
export async function runFleet(line: FleetLine): Promise<number> {
  const { world, verb, args, meant, name } = line;
  const io = ioForMany(world.io);
  const stdin = stdinForMany(io);
  const readText = filesForMany();
  const isAboutDomains = verb.operands.names[0] === "DOMAIN";
  const callFor: FleetCall["callFor"] = (domain, facade, own) => {
    const operands = isAboutDomains ? [domain, ...args.operands.slice(1)] : args.operands;
    const operand = (index: number): string => operands[index] ?? args.operand(index);
    return { args: { ...args, operands, operand }, io: own, facade, serve: world.serve, readText };
  };
  refuseOfOne(line);
  const domain = meant.domain ?? "";
  const rehearsal = await rehearse((facade) => verb.run(callFor(domain, facade, captured(io, stdin).io)));
  if (rehearsal === undefined) throw misuse(`${name}: asks no other host`, name, `qmpctl ${name}, without -H`);
  const crew = await world.fleet(meant.hosts, line.how);
  return workOn({ ...line, io, crew, domain, callFor, stdin }, rehearsal);
}

async function workOn(call: FleetCall, { call: asked, writes }: Rehearsal): Promise<number> {
  if (asked === "list") return (await import("./list-fleet.ts")).listFleet(call);
  if (asked === "running") return (await import("./running-fleet.ts")).runningOfFleet(call);
  if (asked === "outcome") return (await import("./outcome-fleet.ts")).outcomeOverFleet(call);
  if (call.name === "events") return (await import("./events-fleet.ts")).eventsOfFleet(call);
  if (asked === "define") return (await import("./change-fleet.ts")).defineOverFleet(call);
  return writes ? (await import("./change-fleet.ts")).changeFleet(call) : (await import("./read-fleet.ts")).readFleet(call);
}

/** What is asked of hosts themselves. Every other verb is about a domain, or about this host. */
const OF_HOSTS: ReadonlySet<string> = new Set(["list", "define", "outcome"]);

/** What is asked of one host, and put together for it. */
const OF_ONE: ReadonlySet<string> = new Set(["metrics", "top", "import"]);

/** What is not done over many hosts is refused before it is begun: on this host it may do anything. @throws UsageError */
function refuseOfOne({ name, args, verb, meant }: FleetLine): void {
  const isAboutDomains = verb.operands.names[0] === "DOMAIN";
  const isOfOne = OF_ONE.has(name) || (name === "define" && args.flag("running" as never));
  // balance goes by the memory of the host that it runs on, also where it names domains.
  if (isOfOne || ((!isAboutDomains || name === "balance") && !OF_HOSTS.has(name)))
    throw misuse(`${name}: is of ${isOfOne ? "one" : "this"} host`, name, isOfOne ? "-H with one host" : `qmpctl ${name}, without -H`);
  if (isAboutDomains && meant.domain === undefined)
    throw verb.isOfSeveral === undefined || args.operands.length === 0
      ? misuse("DOMAIN: missing; of many hosts a pattern means all, as '*'", undefined, "DOMAIN")
      : misuse(`${name}: files for several domains are of one host`, args.operands[0], `-H with one host, or ${name} DOMAIN FILE`);
  if (name === "edit") throw misuse("edit: an editor is for one config", meant.domain, "one domain of one host");
  if (name === "qmp" && args.operands.length < 2)
    throw misuse("qmp: the shell talks with one machine, and so does a script", meant.domain, "one domain of one host, or a COMMAND");
}

/** The same Io with a signal for many. Streams that are not used stay closed. */
function ioForMany(io: Io): Io {
  return {
    stdout: io.stdout,
    get stderr() {
      return io.stderr;
    },
    get stdin() {
      return io.stdin;
    },
    env: io.env,
    signal: forMany(io.signal) ?? io.signal,
  };
}

/** The text of a file of the command line, read once for all. */
function filesForMany(): NonNullable<Call["readText"]> {
  const texts = new Map<string, Promise<string>>();
  return (path) => {
    let text = texts.get(path);
    if (text === undefined) {
      text = import("../../config/safe-file.ts").then(({ readBoundedText }) => readBoundedText(path));
      texts.set(path, text);
    }
    return text;
  };
}
