import type { Change } from "../../domain/resources/registry.ts";
import { change, changeOptions } from "../change.ts";
import { type Arguments, misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["setvcpu DOMAIN VCPULIST --enable|--disable", "setvcpu DOMAIN VCPULIST --only"],
  section: "vcpus",
  summary: "plug or unplug chosen vCPUs, by their numbers",
  details: [
    "VCPULIST is a list of vCPUs, such as 3 or 1,4-6. They count from 0, and vCPU 0 always stays.",
    "In the config, the key vcpus.online lists the vCPUs of the next start, if they are not those from vCPU 0 on. `setvcpus` then adds the lowest free ones and takes away the highest, in both halves.",
  ],
  examples: [
    ["setvcpu web1 3 --enable --both", "plug vCPU 3, now and at the next start"],
    ["setvcpu web1 0,3 --only", "leave the machine vCPUs 0 and 3"],
    ["setvcpu web1 3 --enable --for 8h", "unplug vCPU 3 again in eight hours"],
  ],
  options: {
    enable: { about: "plug them" },
    disable: { about: "ask the guest to let go of them" },
    only: { about: "plug them, and let go of all others" },
    among: { about: "with --only: of all others, let go only of those in this list", value: "VCPULIST" },
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "VCPULIST"], required: 2 },
  run(call) {
    const wanted = wantedBy(call.args);
    return change(call, (domain, options) => domain.change(wanted, options));
  },
});

function wantedBy(args: Arguments<"enable" | "disable" | "only", "among">): Change {
  const list = args.operand(1);
  const chosen = (["enable", "disable", "only"] as const).filter((flag) => args.flag(flag));
  const [how, other] = chosen;
  if (how === undefined) throw misuse(`setvcpu ${list}: say what is to happen with them`, list, "--enable, --disable or --only");
  if (other !== undefined) throw misuse(`--${how} and --${other}: give only one`, other, "one of --enable, --disable and --only");
  const among = args.text("among");
  if (among !== undefined && how !== "only") throw misuse(`--among ${among}: it goes with --only`, among, `--only, or no --among`);
  const vcpus = how === "only" ? (among ?? "all") : list;
  return { resource: "vcpus-online", vcpus, online: how === "disable" ? "none" : list };
}
