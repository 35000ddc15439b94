import type { ReadOptions } from "../../domain/model/action.ts";
import { CHANGED, type DiffRow, ONE_SIDE, TO_MAKE_EQUAL } from "../../domain/resources/row.ts";
import type { DomainInfo } from "../../domain/views/inspect.ts";
import { messageOf, QmpctlError } from "../../errors.ts";
import { printAs } from "../answer.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT, exitCodeOfError } from "../exit-code.ts";
import { waitOption } from "../lifecycle.ts";
import { misuse } from "../options.ts";
import { type Cell, flow, painter, showSize, table } from "../output.ts";
import { showBoth, showValue } from "../report.ts";
import { showing } from "../showing.ts";
import { type Call, defineVerb, type Io, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["diff DOMAIN", "diff --all"],
  section: "halves",
  summary: "compare config, running machine and guest; say why they differ",
  details: [
    "`revert` makes the running machine equal to the config. `persist` makes the config equal to the running machine.",
    "guest is what the guest says, by its balloon driver and its agent. host is what QEMU has in this host's RAM, for the guest and for itself.",
    "--all shows what differs of every domain, and nothing else.",
    "With --exit-code, 0 means that nothing differs, 1 that something does, and nothing else; what goes wrong ends with 2 or more (3 where 1 is usual).",
  ],
  examples: [
    ["diff web1", "show both sides, and why they differ"],
    ["diff --all --exit-code", "what differs anywhere, for a check in the night"],
  ],
  options: {
    all: { about: "show what differs of every domain", short: "a" },
    "exit-code": { about: "end with 1 if something differs, and with 2 or more if that is not known" },
    ...waitOption("how long the machine may take to answer"),
  },
  operands: { names: ["DOMAIN"], required: 0 },
  async run(call) {
    const { args, io } = call;
    const [domain] = args.operands;
    if (args.flag("all") && domain !== undefined) throw misuse(`--all and ${domain}: give only one`, domain, "--all, or DOMAIN");
    if (!args.flag("all") && domain === undefined) throw misuse("DOMAIN: missing", undefined, "DOMAIN, or --all");
    const work = args.flag("all") ? diffAll(call) : diffOne(call);
    if (!args.flag("exit-code")) return (await work).code;
    const { code, differs } = await work.catch((error: unknown) => {
      throw withCode(error, io.signal);
    });
    return code === EXIT.failed ? EXIT.refused : code === EXIT.done && differs ? EXIT.failed : code;
  },
});

/** How it ended, and whether anything differs. */
interface Compared {
  readonly code: number;
  readonly differs: boolean;
}

async function diffOne(call: Call<never, "timeout">): Promise<Compared> {
  let differs = false;
  const code = await showing(call, {
    read: (domain, options) => domain.diff(options),
    draw: (rows) => show(rows, call.io),
    isLive: (rows) => {
      differs = rows.some(isDifference);
      return rows.some(({ live }) => live !== null);
    },
  });
  return { code, differs };
}

/** What differs of each domain; those that can't be looked at are named. */
async function diffAll(call: Call<never, "timeout">): Promise<Compared> {
  const { args, io, facade } = call;
  const options = { ...timeoutOf(args), signal: io.signal };
  const domains = await facade.list({ ...options, all: true });
  const looked = await Promise.all(domains.map((info) => lookAt(info, facade, options)));
  io.signal.throwIfAborted();
  printAs(call, looked, () => showAll(looked, io));
  const wrong = looked.filter((each) => "error" in each);
  for (const { domain, error } of wrong) io.stderr.write(flow(`qmpctl: ${domain}: ${error.message}`, io.stderr.columns));
  const differs = looked.some((each) => "rows" in each && each.rows.some(isDifference));
  return { code: wrong.length > 0 ? EXIT.failed : EXIT.done, differs };
}

/** One domain of all: its rows, or why there are none. */
type Looked = { readonly domain: string } & (
  { readonly rows: readonly DiffRow[] } | { readonly error: { readonly code: string; readonly message: string } }
);

async function lookAt({ name: domain, state, reason }: DomainInfo, facade: Call["facade"], options: ReadOptions): Promise<Looked> {
  const wrong = (code: string, message: string): Looked => ({
    domain,
    error: { code, message: message.startsWith(`${domain}: `) ? message.slice(domain.length + 2) : message },
  });
  if (UNKNOWN.has(state)) return wrong(state, `${state}${reason === undefined ? "" : `: ${reason}`}`);
  try {
    await using opened = await facade.open(domain);
    return { domain, rows: await opened.diff(options) };
  } catch (error) {
    return wrong(error instanceof QmpctlError ? error.code : "internal", messageOf(error));
  }
}

/** States in which both sides can't be compared. */
const UNKNOWN: ReadonlySet<string> = new Set(["unreachable", "damaged", "unsafe"]);

function isDifference({ why }: DiffRow): boolean {
  return why !== null;
}

/** The same error with a code that is no 1: that is for what differs. */
function withCode(error: unknown, signal: AbortSignal): unknown {
  if (!(error instanceof QmpctlError) || exitCodeOfError(error, signal) !== EXIT.failed) return error;
  return new QmpctlError("refused", error.message, { cause: error });
}

function showAll(looked: readonly Looked[], { stdout, env }: Io): string {
  const { columns } = stdout;
  const differing = looked.flatMap((each) => ("rows" in each ? each.rows.filter(isDifference).map((one) => ({ ...each, one })) : []));
  const compared = looked.filter((each) => "rows" in each).length;
  if (differing.length === 0)
    return compared === 0 ? "" : flow(`nothing differs in ${compared} domain${compared === 1 ? "" : "s"}`, columns);
  const cells = differing.map(({ domain, one }) => [domain, ...row(one, false)]);
  const header = ["domain", "resource", "config", "live", "guest", "why"];
  return (
    table(cells, { header, titles: 2, right: [2, 3, 4], paint: painter(stdout, env), columns }) +
    hintOn(
      differing.map(({ one }) => one),
      columns,
    )
  );
}

function show(rows: readonly DiffRow[], { stdout, env }: Io): string {
  const { columns } = stdout;
  const hasHost = rows.some(({ host }) => host !== undefined);
  const header = ["resource", "config", "live", "guest", ...(hasHost ? ["host"] : []), "why"];
  const right = hasHost ? [1, 2, 3, 4] : [1, 2, 3];
  const cells = rows.map((each) => row(each, hasHost));
  return table(cells, { header, right, paint: painter(stdout, env), columns }) + hintOn(rows, columns);
}

/** What is the same for many rows stands once, below them. */
function hintOn(rows: readonly DiffRow[], columns: number | undefined): string {
  return rows.some(({ why }) => why?.includes(CHANGED) === true) ? `\n${flow(TO_MAKE_EQUAL, columns)}` : "";
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
