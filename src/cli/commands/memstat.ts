import { change, changeOptions } from "../change.ts";
import { parseDuration } from "../duration.ts";
import { showMemory } from "../memory-table.ts";
import { misuse } from "../options.ts";
import { showing } from "../showing.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["memstat DOMAIN", "memstat DOMAIN --period TIME"],
  section: "memory",
  summary: "show memory as guest, balloon and host count it",
  details: [
    "What the guest does not tell is a dash. The host's figures are QEMU's, for the guest and for itself.",
    "--period is how often QEMU asks the guest, in whole seconds of its running time: 5 unless the config says otherwise, 0 for never.",
  ],
  examples: [
    ["memstat web1", "show the figures"],
    ["memstat web1 --period 10s --both", "have QEMU ask every 10 seconds, now and after the next start"],
    ["memstat web1 --period 1s --live --for 10min", "have QEMU ask each second, for ten minutes"],
  ],
  options: { ...changeOptions, period: { about: "how often QEMU asks the guest (0: never)", value: "TIME" } },
  operands: { names: ["DOMAIN"], required: 1 },
  async run(call) {
    const period = call.args.text("period");
    if (period === undefined) return show(call);
    const seconds = secondsOf(period);
    return change(call, (domain, options) => domain.change({ resource: "memory-period", seconds }, options));
  },
});

/** What only a change takes. */
const OF_CHANGES = ["static", "dynamic", "both", "current", "dry-run", "force"] as const;

async function show(call: Call<(typeof OF_CHANGES)[number], "timeout">): Promise<number> {
  const { args } = call;
  const stray = OF_CHANGES.find((flag) => args.flag(flag));
  if (stray !== undefined)
    throw misuse(`--${stray}: changes how often the guest is asked, so it takes --period`, `--${stray}`, "--period TIME");
  return showing(call, {
    read: (domain, options) => domain.memory(options),
    draw: (it) => showMemory(it, call.io),
    isLive: ({ state }) => state !== "unreachable",
  });
}

/** @throws UsageError for a time that is no whole number of seconds */
function secondsOf(text: string): number {
  const seconds = /^0+s?$/.test(text) ? 0 : parseDuration(text) / 1000;
  if (Number.isInteger(seconds)) return seconds;
  throw misuse(`--period ${text}: QEMU counts in whole seconds`, text, "whole seconds, such as 5s");
}
