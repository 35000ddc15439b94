import { ConfigError } from "../../../src/config/config-error.ts";
import type { Report } from "../../../src/domain/change/change-report.ts";
import type { Domain, Facade } from "../../../src/domain/facade.ts";
import type { RunningQemu } from "../../../src/domain/lifecycle/running/running-qemu.ts";
import type { DomainInfo } from "../../../src/domain/views/inspect.ts";
import type { Crew } from "../../../src/remote/fleet/crew.ts";
import { formatHost, parseHost } from "../../../src/remote/host-address.ts";
import { reportOf } from "../../cli/scene.ts";

/** A domain that can do what it says here, and nothing else. */
export type FakeDomain = Partial<Domain>;

/** What a fleet of fakes has seen. */
export interface Fakes {
  readonly crew: Crew;
  /** `host/domain: call`, in their order; a dry run is marked. */
  readonly calls: string[];
  /** How many connections there are now, and the most there were. */
  readonly links: { now: number; most: number };
}

/** Hosts by their names, with their domains; an error is what connecting to it ends with. */
export function fakes(hosts: Readonly<Record<string, Readonly<Record<string, FakeDomain>> | Error>>): Fakes {
  const calls: string[] = [];
  const links = { now: 0, most: 0 };
  const crew: Crew = {
    members: Object.keys(hosts).map((name) => ({ name, address: formatHost(parseHost(name)) })),
    dial: ({ name }) => {
      links.now++;
      links.most = Math.max(links.most, links.now);
      return { facade: facadeOf(name, hosts[name] ?? {}, calls), close: async () => void links.now-- };
    },
  };
  return { crew, calls, links };
}

function facadeOf(host: string, has: Readonly<Record<string, FakeDomain>> | Error, calls: string[]): Facade {
  const domains = (): Readonly<Record<string, FakeDomain>> => {
    if (has instanceof Error) throw has;
    return has;
  };
  return {
    open: async (name) => {
      const fake = domains()[name];
      if (fake === undefined) throw new ConfigError(`/etc/qmpctl/${name}.json`, "missing", "there is no such config");
      return told(host, name, fake, calls);
    },
    list: async () => Object.keys(domains()).map((name) => ({ name, state: "running", transient: false }) as DomainInfo),
    define: () => Promise.reject(new Error("not here")),
    sample: () => Promise.reject(new Error("not here")),
    outcome: () => Promise.reject(new Error("not here")),
    running: async () => Object.keys(domains()).map((name, at) => qemuOf(name, at + 1)),
    adopt: () => Promise.reject(new Error("not here")),
    takeOver: () => Promise.reject(new Error("not here")),
  };
}

/** A QEMU of that host that nobody manages. */
function qemuOf(name: string, pid: number): RunningQemu {
  const nobodys = { keeper: null, keptAs: null, proofs: [], isSure: true, can: "adopt", advice: `adopt it: define --pid ${pid}` } as const;
  return { pid, uid: 0, user: "root", name, uuid: null, monitors: [], ...nobodys };
}

/** The same domain; each call is noted before it is made. */
function told(host: string, name: string, fake: FakeDomain, calls: string[]): Domain {
  const noted = Object.entries({ info: async () => infoOf("running"), ...fake }).map(([call, work]) => {
    const make = (...args: readonly unknown[]): unknown => {
      const options = args.at(-1) as { readonly dryRun?: boolean } | undefined;
      calls.push(`${host}/${name}: ${call}${options?.dryRun === true ? " (dry run)" : ""}`);
      return (work as (...words: readonly unknown[]) => unknown)(...args);
    };
    return [call, make];
  });
  return { name, ...Object.fromEntries(noted), async [Symbol.asyncDispose]() {} } as Domain;
}

/** What there is to say of a domain in this state. */
export function infoOf(state: DomainInfo["state"]): DomainInfo {
  return { name: "web1", state, transient: false };
}

/** A change that can be planned and made. */
export const obeys: FakeDomain = {
  change: async (_, { dryRun }) => reportOf(dryRun === true ? plannedReport : { takeBack: "qmpctl setmem x 1GiB --static --dynamic" }),
};

/** What a dry run reports of a change that would be made. */
export const plannedReport: Partial<Report> = {
  outcome: "planned",
  changes: reportOf().changes.map((each) => ({
    ...each,
    static: { ...each.static, outcome: "skipped" },
    dynamic: { ...each.dynamic, outcome: "skipped" },
  })),
};
