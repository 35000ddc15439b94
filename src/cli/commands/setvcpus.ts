import type { Change } from "../../domain/resources/registry.ts";
import { change, changeOptions } from "../change.ts";
import { parseCount } from "../count.ts";
import { type Arguments, misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setvcpus DOMAIN COUNT"],
  section: "vcpus",
  summary: "change how many vCPUs the guest has; --maximum: can have",
  details: [
    "On a running machine, the lowest free vCPUs are plugged, and the highest are unplugged. A vCPU that the guest has not released by the deadline is `pending`.",
    "--online and --guest need an agent in the guest, and the key agent in the config. A guest forgets what --guest made of it when it reboots.",
  ],
  examples: [
    ["setvcpus web1 4 --both", "now, and at the next start"],
    ["setvcpus web1 4 --online", "plug them, and have the guest use them"],
    ["setvcpus web1 2 --guest", "have the guest use two of those that it has"],
    ["setvcpus web1 8 --maximum --static", "room for 8, at the next start"],
    ["setvcpus web1 4 --live --for 8h", "for eight hours, then as many as before"],
  ],
  options: {
    maximum: { about: "change the most that the guest can have; on a running machine this needs --static and applies at the next start" },
    online: { about: "also have the guest bring up the vCPUs that it does not use" },
    guest: { about: "only ask the guest to use so many of its vCPUs: nothing is plugged or unplugged" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "COUNT"], required: 2 },
  run(call) {
    const wanted = wantedBy(call.args);
    return change(call, (domain, options) => domain.change(wanted, options));
  },
});

function wantedBy(args: Arguments<"maximum" | "online" | "guest" | "static" | "dynamic" | "both", never>): Change | readonly Change[] {
  const count = parseCount(args.operand(1), "COUNT");
  const [how, other] = (["maximum", "online", "guest"] as const).filter((flag) => args.flag(flag));
  if (other !== undefined) throw misuse(`--${how} and --${other}: give only one`, other, `--${how} alone, or --${other} alone`);
  if (how === "maximum") return { resource: "max-vcpus", count };
  if (how === "guest") return { resource: "guest-vcpus", count, how: "exactly" };
  if (how === undefined) return { resource: "vcpus", count };
  if (args.flag("static") && !args.flag("dynamic") && !args.flag("both"))
    throw misuse("--online and --static: a guest that does not run brings nothing up", "--online", "--dynamic, --both, or no --online");
  return [
    { resource: "vcpus", count },
    { resource: "guest-vcpus", count, how: "at-least" },
  ];
}
