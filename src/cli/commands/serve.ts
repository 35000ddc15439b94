import { CODE_VERBS } from "../../remote/allowed.ts";
import { EXIT } from "../exit-code.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["serve [--read-only] [--verbs VERB,...] [--domains PATTERN,...]"],
  summary: "answer the qmpctl of another host, for a forced command",
  details: [
    'It needs no call by hand: qmpctl -H HOST brings its own. It is for a key that may do some things only, in authorized_keys of the host: restrict,command="qmpctl serve --read-only" ssh-ed25519 …; the one who has that key uses qmpctl --installed -H HOST.',
    `Verbs that can run a program or open a file of the caller's choice (${CODE_VERBS.join(", ")}) are allowed only if --verbs names them. With any of these options domains are known by their names only, not by a path or a monitor's address.`,
    "What SSH_ORIGINAL_COMMAND says is not read.",
  ],
  examples: [
    ["serve --read-only", "for a key that may look at everything and change nothing"],
    ["serve --verbs setmem,setvcpus --domains 'web*'", "for a key that may give these machines more or less"],
  ],
  options: {
    "read-only": { about: "allow only what changes nothing" },
    verbs: { about: "allow only these verbs, and list and info", value: "VERB,..." },
    domains: { about: "allow only domains of these names; * and ? stand for any characters", value: "PATTERN,..." },
  },
  operands: { names: [], required: 0 },
  async run({ args, serve }) {
    const [verbs, domains] = [listed(args.text("verbs")), listed(args.text("domains"))];
    const readOnly = args.flag("read-only");
    const isLimited = readOnly || verbs !== null || domains !== null;
    await serve(isLimited ? { readOnly, verbs: verbs === null ? null : ["list", "info", ...verbs], domains } : undefined);
    return EXIT.done;
  },
});

function listed(text: string | undefined): readonly string[] | null {
  return text?.split(",") ?? null;
}
