import type { DomainInfo } from "../../domain/views/inspect.ts";
import { printAs } from "../answer.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { type Cell, flow, painter, showSize, type Style, table } from "../output.ts";
import { type Call, defineVerb, type Io, type Verb } from "../verb.ts";

/** The colour of each state. */
export const stateStyles: Readonly<Record<DomainInfo["state"], Style>> = {
  ...{ running: "green", paused: "yellow", stopped: "dim", unreachable: "red", damaged: "red", unsafe: "red" },
  ...{
    suspended: "yellow",
    shutdown: "yellow",
    "guest-panicked": "red",
    "internal-error": "red",
    "io-error": "red",
    watchdog: "red",
    debug: "yellow",
    inmigrate: "yellow",
    postmigrate: "yellow",
  },
  ...{ "finish-migrate": "yellow", "save-vm": "yellow", "restore-vm": "yellow", colo: "yellow", preconfig: "yellow" },
};

export const verb: Verb = defineVerb({
  usage: ["list", "list --running"],
  section: "domains",
  summary: "list running machines; --all: stopped ones too",
  details: [
    "unreachable: the monitor does not answer. damaged: the config cannot be read. unsafe: another user could have written the config. The last column says why.",
    "--running lists every QEMU of the host, whoever started it, as /proc shows it, and what can be done with it. None of them is asked. Who keeps one is told by its keeper's pidfile, its control group and its sockets; libvirt? says that only its command line says so.",
    "memory is what QEMU gives the guest, host what QEMU has in this host's RAM, for the guest and for itself.",
  ],
  examples: [
    ["list --all", "stopped domains too"],
    ["list --all --json", "the same for a program"],
    ["list --running", "every QEMU of the host, also those of libvirt or nobody"],
  ],
  options: {
    all: { about: "also list stopped domains", short: "a" },
    running: { about: "list every QEMU of the host, whoever started it" },
    autostart: { about: "of them, only those that start with the host" },
    "no-autostart": { about: "of them, only those that don't" },
    timeout: { about: "how long each machine may take to answer (all are asked at once)", value: "TIME" },
  },
  operands: { names: [], required: 0 },
  async run(call) {
    const { args, io, facade } = call;
    if (args.flag("running")) return listRunning(call);
    const found = await facade.list({ ...timeoutOf(args), all: args.flag("all"), signal: io.signal });
    const domains = found.filter(({ autostart = false }) => !args.flag(autostart ? "no-autostart" : "autostart"));
    printAs(call, domains, (them) => (them.length === 0 ? "" : showDomains(them, io)));
    if (domains.length === 0 && !args.flag("json")) io.stderr.write(flow(args.flag("all") ? NONE_DEFINED : NONE_RUN, io.stderr.columns));
    return EXIT.done;
  },
});

async function listRunning(call: Call<"all", "timeout">): Promise<number> {
  const { args, io, facade } = call;
  if (args.flag("all")) throw misuse("--all and --running: what is stopped does not run", "--all", "one of them");
  const { NO_QEMU, showRunning } = await import("../running.ts");
  const found = await facade.running({ ...timeoutOf(args), signal: io.signal });
  printAs(call, found, (them) => (them.length === 0 ? "" : showRunning(them, io)));
  if (found.length === 0 && !args.flag("json")) io.stderr.write(flow(NO_QEMU, io.stderr.columns));
  return EXIT.done;
}

/** What is said where there is none. */
export const NONE_DEFINED = "no domains are defined: `qmpctl define` makes one";
/** What is said where none runs. */
export const NONE_RUN = "no domain is running: `qmpctl list --all` also lists stopped ones";

/** Domains as a table. `hosts`: whose each is, for the first column. */
export function showDomains(domains: readonly DomainInfo[], io: Io, hosts?: readonly string[]): string {
  // Only a domain with a problem has a reason, and only of one that runs here it is known what the host gave.
  const hasHost = domains.some(({ live }) => live?.host !== undefined);
  const shown = domains.some(({ reason }) => reason !== undefined) ? 6 : 5;
  const cellsOf = (cells: readonly Cell[], host: Cell, at: Cell | undefined): readonly Cell[] => {
    const some = cells.slice(0, shown);
    return [...(at === undefined ? [] : [at]), ...(hasHost ? some.toSpliced(5, 0, host) : some)];
  };
  const first = hosts === undefined ? 0 : 1;
  const header = cellsOf(["name", "state", "pid", "vCPUs", "memory", "why"], "host", first === 0 ? undefined : "at").map(String);
  return table(
    domains.map((domain, index) =>
      cellsOf(row(domain), domain.live?.host === undefined ? "-" : showSize(domain.live.host), hosts?.[index]),
    ),
    {
      header,
      right: (hasHost ? [2, 3, 4, 5] : [2, 3, 4]).map((column) => column + first),
      titles: 1 + first,
      paint: painter(io.stdout, io.env),
      columns: io.stdout.columns,
    },
  );
}

function row(domain: DomainInfo): readonly Cell[] {
  const { state } = domain;
  const { vcpus = null, memory = null } = domain.live ?? domain.config ?? {};
  return [
    domain.name,
    { text: state, style: stateStyles[state] },
    domain.pid === undefined ? "-" : String(domain.pid),
    vcpus === null ? "-" : String(vcpus),
    memory === null ? "-" : showSize(memory),
    domain.reason ?? "",
  ];
}
