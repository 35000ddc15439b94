import { printAs } from "../answer.ts";
import { parseCount } from "../count.ts";
import { EXIT } from "../exit-code.ts";
import { domainOnly } from "../lifecycle.ts";
import { noteLine } from "../output.ts";
import { parseSince } from "../since.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["history DOMAIN"],
  section: "halves",
  summary: "show what was done to a machine: who, when, what",
  details: [
    "One line for each change that was made, failed or was undone, and for each start, stop and definition. What was refused, or found nothing to do, has none.",
    "who is the user that ran it; `alice as root` came by sudo, and @ADDRESS is where an ssh session came from. The machine's owner can change the file: it is no proof against the owner.",
    "It holds 256 to 512 KiB, then the oldest lines go; as much again of what balance moved by itself. undefine removes it. With --json there is all of it: the command line, the process, the values of both halves.",
  ],
  examples: [
    ["history web1", "the last 20 things that were done"],
    ["history web1 --since 22:00", "what was done last night"],
    ["history web1 --since 12h --json", "all of it in half a day, for a program"],
  ],
  options: {
    last: { about: "no more than the last N (default: 20; with --since or --json: all)", value: "N", short: "n" },
    since: { about: "no more than what was done since then: 2h, 7d, 07:00, yesterday, 2026-12-01", value: "TIME" },
  },
  operands: domainOnly,
  async run(call) {
    const { args, io, facade } = call;
    const [last, since] = [args.text("last"), args.text("since")];
    const isJson = args.flag("json");
    const within = since === undefined ? undefined : parseSince(since);
    const most = last !== undefined ? parseCount(last, "--last") : within === undefined && !isJson ? USUAL : undefined;
    await using domain = await facade.open(args.operand(0));
    const { entries, unreadable } = await domain.history({ last: most, within, signal: io.signal });
    const { showHistory } = await import("../show-history.ts");
    printAs(call, entries, (them) => showHistory(them, io));
    if (entries.length === 0 && most !== 0 && !isJson)
      io.stderr.write(noteLine(`nothing is known of ${domain.name}${within === undefined ? "" : ` in that time`}`, io.stderr.columns));
    if (unreadable > 0)
      io.stderr.write(noteLine(`${unreadable} of its lines can't be read: they were torn, or not written by qmpctl`, io.stderr.columns));
    return EXIT.done;
  },
});

/** How many are shown unless told. */
const USUAL = 20;
