import { printAs } from "../answer.ts";
import { parseDuration } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly } from "../lifecycle.ts";
import type { Arguments, Option } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** The option of a verb that says how long a guest may take to shut down. */
export const shutdownOption: { readonly "shutdown-timeout": Option & { readonly value: "TIME" } } = {
  "shutdown-timeout": { about: "how long the guest may take to shut down (default: 60 s)", value: "TIME" },
};

/** That time; absent, the library's default applies. @throws UsageError */
export function shutdownTimeoutOf(args: Arguments<never, "shutdown-timeout">): { readonly shutdownTimeout?: number } {
  const text = args.text("shutdown-timeout");
  return text === undefined ? {} : { shutdownTimeout: parseDuration(text) };
}

export const verb: Verb = defineVerb({
  usage: ["unit DOMAIN"],
  section: "power",
  summary: "print a systemd unit that runs the machine",
  details: [
    "Its first line says where it belongs. Root's is for the system's manager, a user's for the user's own (systemctl --user). autostart puts it there by itself.",
    "The unit calls qmpctl run. Stopping it asks the guest to shut down; a crash of QEMU has it started again.",
  ],
  examples: [
    ["unit web1", "look at it"],
    ["unit web1 --system", "for a user's machine that the system's manager is to run as that user"],
  ],
  options: { system: { about: "of a user's machine: a unit for the system's manager" }, ...shutdownOption },
  operands: domainOnly,
  async run(call) {
    const { args, facade } = call;
    const options = { system: args.flag("system"), ...shutdownTimeoutOf(args) };
    await using domain = await facade.open(args.operand(0));
    printAs(call, await domain.unit(options), ({ path, text }) => `# ${path}\n${text}`);
    return EXIT.done;
  },
});
