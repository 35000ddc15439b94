import { EXIT } from "../exit-code.ts";
import { domainOnly } from "../lifecycle.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["config DOMAIN"],
  section: "domains",
  summary: "print the launch config, exactly as it is in its file",
  examples: [
    ["config web1", "the text of the file, byte for byte"],
    ["-H kvm1 config web1", "of a machine on another host"],
  ],
  options: {},
  operands: domainOnly,
  async run({ args, io, facade }) {
    await using domain = await facade.open(args.operand(0));
    const text = await domain.config();
    io.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    return EXIT.done;
  },
});
