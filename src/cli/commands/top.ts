import { parseCount } from "../count.ts";
import { parseDuration } from "../duration.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** Milliseconds between two frames, unless told. */
const EVERY = 1000;

export const verb: Verb = defineVerb({
  usage: ["top [TEXT]"],
  section: "domains",
  summary: "watch all domains live: CPU, steal, memory, disks",
  details: [
    "A screen of the host and its domains, until q. h shows the keys: sort (c s m o d t n), narrow (/), open a domain (Enter), pause (space). TEXT shows only names with that in them.",
    "The kernel's figures are of each frame. QEMU is asked beside that, one domain after the other, over a short connection; a monitor that another client holds is left alone. That and the rest take a few percent of one CPU at most, so that of many domains what QEMU says is some seconds old.",
    "CPU% is percent of one CPU of the host. STEAL is how long vCPUs waited for one. GUEST is what the guest says that it uses, where QEMU asks it (memory.period); top never switches that on. HOST is what QEMU has in this host's RAM.",
    "Without a terminal, or with --once or --batch, frames are text, or with --json one object on a line.",
    "-H HOST top shows another host's domains; it works with one host at a time.",
  ],
  examples: [
    ["top", "watch all of this host's domains"],
    ["top --once --json", "one frame for a program, over one second"],
  ],
  options: {
    every: { about: "time between two frames (default 1s)", value: "TIME", short: "d" },
    sort: { about: "cpu, steal, memory, host, disk, net, name or state", value: "BY", kind: "cpu|steal|memory|host|disk|net|name|state" },
    batch: { about: "print frames as text, one below the other", short: "b" },
    count: { about: "end after this many frames (with --batch or --json)", value: "N", short: "n" },
    once: { about: "print one frame and end" },
  },
  operands: { names: ["TEXT"], required: 0 },
  async run(call) {
    const { args, io } = call;
    const { FASTEST, ORDERS } = await import("../top/view.ts");
    const typed = args.text("every");
    const every = typed === undefined ? EVERY : parseDuration(typed);
    if (every < FASTEST) throw misuse(`--every ${typed}: too often; give ${FASTEST}ms or more`, typed, `${FASTEST}ms or more`);
    const sort = args.text("sort");
    const order = ORDERS.find((each) => each === sort);
    if (sort !== undefined && order === undefined)
      throw misuse(`--sort ${sort}: there is no such order; give ${ORDERS.join(", ")}`, sort, ORDERS.join(", "));
    const [only = ""] = args.operands;
    if (only.startsWith("ssh://")) throw misuse(`${only}: top is of a whole host; give -H HOST in front of it`, only, "qmpctl -H HOST top");
    const given = args.text("count");
    const count = args.flag("once") ? 1 : given === undefined ? undefined : parseCount(given, "--count");
    if (count !== undefined && count < 1) throw misuse(`--count ${given}: give 1 or more`, given, "a whole number, 1 or more");
    const json = args.flag("json");
    const isScreen =
      !json && !args.flag("batch") && count === undefined && io.stdout.isTTY && io.stdin.isTTY === true && io.env["TERM"] !== "dumb";
    if (isScreen) return (await import("../top/live.ts")).live(call, { only, every, order: order ?? "cpu" });
    return (await import("../top/batch.ts")).batch(call, { only, every, order: order ?? "name", count, json });
  },
});
