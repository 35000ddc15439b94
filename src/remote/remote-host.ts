import { resolve } from "node:path";
import type { EndPoint } from "../domain/end-point.ts";
import type { Defined, Facade } from "../domain/facade.ts";
import type { DefineSource } from "../domain/lifecycle/define.ts";
import type { Imported } from "../domain/lifecycle/import/import-source.ts";
import { UsageError } from "../errors.ts";
import type { Caller } from "./caller.ts";
import { DOMAIN_CALLS } from "./calls.ts";
import { isRemote } from "./host-address.ts";
import type { Outcome } from "./outcomes.ts";
import { addressOf, readdress, readdressError } from "./readdress.ts";
import { toSend } from "./worked-out.ts";

/**
 * The domains of another host, over one connection, as the verbs see those of this one. `name` is the host's, for messages: its domains are
 * called `ssh://HOST/NAME`.
 */
export function remoteFacade(caller: Caller, name: string): Facade {
  return {
    open: async (domain) => {
      refuseHost(name, domain);
      // Nothing is asked yet: each call opens it there, and says what is wrong.
      return Object.assign(remoteDomain(caller, name, domain), { name: domain, async [Symbol.asyncDispose]() {} });
    },
    async define(source, options) {
      const args = [await sourceToSend(source)];
      return (await caller.call({ what: "define", domain: null, args, options: { ...options }, writes: true })) as Defined;
    },
    outcome: (key, { signal }) => outcomeOf(caller, key, signal),
    list: async (options) =>
      (await caller.call({ what: "list", domain: null, options: { ...options } })) as Awaited<ReturnType<Facade["list"]>>,
    sample: async (options) =>
      (await caller.call({ what: "sample", domain: null, options: { ...options } })) as Awaited<ReturnType<Facade["sample"]>>,
    running: async (options) =>
      (await caller.call({ what: "running", domain: null, options: { ...options } })) as Awaited<ReturnType<Facade["running"]>>,
    adopt: async (options) =>
      (await caller.call({ what: "adopt", domain: null, options: { ...options }, writes: true })) as Awaited<ReturnType<Facade["adopt"]>>,
    takeOver: async (source, options) =>
      (await caller.call({ what: "takeOver", domain: null, args: [source], options: { ...options }, writes: true })) as Imported,
  };
}

/** Whether a domain of that host may be opened: a name that can be one, a config that is there. @throws as `Domain.open` does there */
export async function checkDomain(caller: Caller, host: string, domain: string): Promise<void> {
  refuseHost(host, domain);
  await caller.call({ what: "open", domain: null, args: [domain] });
}

function refuseHost(host: string, domain: string): void {
  if (!isRemote(domain)) return;
  throw new UsageError(`${domain}: it names a host itself, and ${host} is one already`, {
    value: domain,
    expected: "a domain of that host",
  });
}

/** What became of a call there, with the commands in it as they are to be typed here. @throws as `Caller.outcome` does */
export async function outcomeOf(caller: Caller, key: string, signal: AbortSignal | undefined): Promise<Outcome> {
  const outcome = await caller.outcome(key, signal);
  const { domain } = outcome;
  return domain === undefined ? outcome : { ...readdress(outcome, caller.name, domain), domain };
}

/** What is read here is sent as its text; a process, or a command line, is one of that host. */
async function sourceToSend(source: DefineSource): Promise<DefineSource> {
  if (!("file" in source) || "text" in source) return source;
  const { readSafely } = await import("../config/safe-file.ts");
  return { text: (await readSafely(source.file)).text, file: resolve(source.file) };
}

/** A domain of another host. `host`: as in its address. */
export function remoteDomain(caller: Caller, host: string, domain: string): EndPoint {
  const call = async (what: string, args: readonly unknown[], options: object = {}): Promise<never> => {
    const ask = { what, domain, args, options: { ...options }, writes: DOMAIN_CALLS[what]?.writes === true };
    const answer = await caller.call(ask).catch((error: unknown) => {
      throw readdressError(error, host, domain);
    });
    // The text of a config, or of a unit, is nobody's advice.
    return (what === "config" || what === "unit" ? answer : readdress(answer, host, domain)) as never;
  };
  return {
    name: addressOf(host, domain),
    configPath: undefined,
    interrupted: (options) => call("interrupted", [], options),
    change: (wanted, options) => call("change", [toSend(wanted)], options),
    revert: (options) => call("revert", [], options),
    persist: (options) => call("persist", [], options),
    apply: (wanted, options) => call("apply", [wanted], options),
    recover: (how, options) => call("recover", [how], options),
    info: (options) => call("info", [], options),
    vcpus: (options) => call("vcpus", [], options),
    disks: (options) => call("disks", [], options),
    threads: (options) => call("threads", [], options),
    memory: (options) => call("memory", [], options),
    stats: (options) => call("stats", [], options),
    diff: (options) => call("diff", [], options),
    history: (options) => call("history", [], options),
    config: () => call("config", []),
    rewrite: (text, before) => call("rewrite", [text, before]),
    start: (options) => call("start", [], options),
    restart: (options) => call("restart", [], options),
    shutdown: (options) => call("shutdown", [], options),
    destroy: (options) => call("destroy", [], options),
    reset: async (options) => void (await call("reset", [], options)),
    suspend: async (options) => void (await call("suspend", [], options)),
    resume: async (options) => void (await call("resume", [], options)),
    undefine: () => call("undefine", []),
    unit: (options) => call("unit", [], options),
    autostart: (options) => call("autostart", [], options),
    connect: async (options) => (await import("./far-monitor.ts")).connectMonitor(await caller.link(), host, domain, { ...options }),
    close: () => caller[Symbol.asyncDispose](),
  };
}
