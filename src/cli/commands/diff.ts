import { CHANGED, type DiffRow, ONE_SIDE, TO_MAKE_EQUAL } from "../../domain/resources/row.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { type Cell, flow, painter, showSize, table } from "../output.ts";
import { showBoth, showValue } from "../report.ts";
import { showing } from "../showing.ts";
import { defineVerb, type Io, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["diff DOMAIN"],
  section: "halves",
  summary: "compare config, running machine and guest; say why they differ",
  details: [
    "`revert` makes the running machine equal to the config. `persist` makes the config equal to the running machine.",
    "guest is what the guest says, by its balloon driver and its agent. host is what QEMU has in this host's RAM, for the guest and for itself.",
  ],
  examples: [
    ["diff web1", "show both sides, and why they differ"],
    ["diff web1 --json", "the same for a program"],
  ],
  options: waitOption("how long the machine may take to answer"),
  operands: domainOnly,
  run: (call) =>
    showing(call, {
      read: (domain, options) => domain.diff(options),
      draw: (rows) => show(rows, call.io),
      isLive: (rows) => rows.some(({ live }) => live !== null),
    }),
});

function show(rows: readonly DiffRow[], { stdout, env }: Io): string {
  const { columns } = stdout;
  const hasHost = rows.some(({ host }) => host !== undefined);
  const header = ["resource", "config", "live", "guest", ...(hasHost ? ["host"] : []), "why"];
  const right = hasHost ? [1, 2, 3, 4] : [1, 2, 3];
  const cells = rows.map((each) => row(each, hasHost));
  // What is the same for many rows stands once, below them.
  const hint = rows.some(({ why }) => why?.includes(CHANGED) === true) ? `\n${flow(TO_MAKE_EQUAL, columns)}` : "";
  return table(cells, { header, right, paint: painter(stdout, env), columns }) + hint;
}

function row({ resource, config, live, guest, host, why, guestAge, guestUnknown }: DiffRow, hasHost: boolean): Cell[] {
  const differs = why !== null;
  const sides = [...showBoth(resource, [config, live]), showValue(resource, guest)];
  const cells = sides.map((side, column): Cell => {
    const shown = column === 2 && guestUnknown !== undefined ? "unknown" : side;
    const text = `${shown}${column === 2 && guestAge !== undefined ? ` (${guestAge})` : ""}`;
    return differs ? { text, style: "yellow" } : text;
  });
  // The host's figure has QEMU's own memory in it: it is no side that could differ.
  return [
    resource,
    ...cells,
    ...(hasHost ? [host === undefined ? "-" : showSize(host)] : []),
    [why?.replace(CHANGED, ONE_SIDE), guestUnknown].filter(Boolean).join("; "),
  ];
}
