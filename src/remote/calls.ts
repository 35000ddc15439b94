import type { EndPoint } from "../domain/end-point.ts";
import type { Domain, Facade } from "../domain/facade.ts";
import type { DefineSource } from "../domain/lifecycle/define.ts";
import type { ImportSource } from "../domain/lifecycle/import/import-source.ts";
import { UsageError } from "../errors.ts";
import { boolean, either, faultOf, list, number, object, optional, type Shape, string, where } from "../shape.ts";
import { asArrived } from "./worked-out.ts";

/** What comes with a call besides its arguments, put together of what arrived: a signal, and functions that tell the near end. */
export type Options = Readonly<Record<string, unknown>>;

/** One thing that can be asked of the far end: of a domain, or of the host. */
export interface CallKind {
  /** What the caller has to be allowed, as the command line's verb has it. Null: it is in the changes. */
  readonly verb: string | null;
  /** Whether anything may be another after it. */
  readonly writes: boolean;
  /** Whether it tells when it begins to change something: until then, it can be given up. */
  readonly begins: boolean;
  /** What its options may be. */
  readonly options: Shape<unknown>;
  /** Which of the caller's functions it may call. */
  readonly tells: readonly string[];
  run(on: never, args: readonly unknown[], options: never): Promise<unknown>;
}

/** One that is about a domain. */
export interface DomainCall extends CallKind {
  run(domain: Domain, args: readonly unknown[], options: never): Promise<unknown>;
}

/** One that is about the host. */
export interface HostCall extends CallKind {
  run(host: Facade, args: readonly unknown[], options: never): Promise<unknown>;
}

const time = optional(number);
const isOneOf = (...words: readonly string[]): Shape<string> => where(string, (word) => words.includes(word));
const read = { options: object({ timeout: time }), tells: [], writes: false, begins: false };
const write = {
  options: object({
    scope: optional(isOneOf("current", "static", "dynamic", "both")),
    dryRun: optional(boolean),
    force: optional(boolean),
    onFailure: optional(isOneOf("undo", "keep")),
    timeout: time,
    undoTimeout: time,
    takeBack: optional(boolean),
    automatic: optional(boolean),
    for: optional(either(number, string)),
    until: optional(string),
    resource: optional(string),
    end: optional(string),
  }),
  tells: ["onProgress"],
  writes: true,
  begins: true,
};
const stop = { options: object({ timeout: time }), tells: ["onProgress", "onAsked"], writes: true, begins: false };
const answer = where(
  object({ agent: optional(boolean), console: optional(string) }),
  (it) => it.agent === true || it.console !== undefined,
);
const start = {
  options: object({ timeout: time, paused: optional(boolean), wait: optional(answer) }),
  tells: ["onProgress", "onAsked", "onStopped"],
  writes: true,
  begins: false,
};
const power = { options: object({ timeout: time }), tells: [], writes: true, begins: false };

/** Everything that can be asked of a domain there. */
export const DOMAIN_CALLS: Readonly<Record<string, DomainCall>> = {
  info: { ...read, verb: "info", run: (domain, _, options) => domain.info(options) },
  vcpus: { ...read, verb: "vcpuinfo", run: (domain, _, options) => domain.vcpus(options) },
  disks: { ...read, verb: "domblklist", run: (domain, _, options) => domain.disks(options) },
  threads: { ...read, verb: "threads", run: (domain, _, options) => domain.threads(options) },
  memory: {
    ...read,
    options: object({ timeout: time, glance: optional(boolean) }),
    verb: "memstat",
    run: (domain, _, options) => domain.memory(options),
  },
  stats: { ...read, verb: "stats", run: (domain, _, options) => domain.stats(options) },
  diff: { ...read, verb: "diff", run: (domain, _, options) => domain.diff(options) },
  history: {
    ...read,
    options: object({ timeout: time, last: optional(number), within: optional(number) }),
    verb: "history",
    run: (domain, _, options) => domain.history(options),
  },
  interrupted: { ...read, verb: "info", run: (domain, _, options) => (domain as unknown as EndPoint).interrupted(options) },
  config: { ...read, verb: "config", run: (domain) => domain.config() },
  change: { ...write, verb: null, run: async (domain, [wanted], options) => domain.change(await asArrived(wanted), options) },
  revert: { ...write, verb: "revert", run: (domain, _, options) => domain.revert(options) },
  persist: { ...write, verb: "persist", run: (domain, _, options) => domain.persist(options) },
  apply: { ...write, verb: "apply", run: (domain, [wanted], options) => domain.apply(wanted as never, options) },
  recover: { ...write, verb: "recover", run: (domain, [how], options) => domain.recover(recovery(how), options) },
  start: { ...start, verb: "start", run: (domain, _, options) => domain.start(options) },
  restart: { ...start, verb: "restart", run: (domain, _, options) => domain.restart(options) },
  shutdown: { ...stop, verb: "shutdown", run: (domain, _, options) => domain.shutdown(options) },
  destroy: { ...stop, verb: "destroy", run: (domain, _, options) => domain.destroy(options) },
  reset: { ...power, verb: "reset", run: (domain, _, options) => domain.reset(options) },
  suspend: { ...power, verb: "suspend", run: (domain, _, options) => domain.suspend(options) },
  resume: { ...power, verb: "resume", run: (domain, _, options) => domain.resume(options) },
  rewrite: { ...power, verb: "edit", run: (domain, [text, before]) => domain.rewrite(textIn(text), textIn(before)) },
  undefine: { ...power, verb: "undefine", run: (domain) => domain.undefine() },
  unit: {
    ...read,
    options: object({ timeout: time, shutdownTimeout: time, system: optional(boolean) }),
    verb: "unit",
    run: (domain, _, options) => domain.unit(options),
  },
  autostart: {
    ...power,
    options: object({ timeout: time, shutdownTimeout: time, disable: optional(boolean), force: optional(boolean) }),
    verb: "autostart",
    run: (domain, _, options) => domain.autostart(options),
  },
};

/** Everything that can be asked of a host. */
export const HOST_CALLS: Readonly<Record<string, HostCall>> = {
  list: {
    ...read,
    options: object({ timeout: time, all: optional(boolean) }),
    verb: "list",
    run: (host, _, options) => host.list(options),
  },
  sample: {
    ...read,
    options: object({ settle: time }),
    verb: "top",
    run: (host, _, options) => host.sample(options),
  },
  define: {
    verb: "define",
    options: object({ name: optional(string), replace: optional(boolean), force: optional(boolean) }),
    tells: [],
    writes: true,
    begins: false,
    run: async (host, [source], options) => {
      const { domain, notes } = await host.define(sourceIn(source), options);
      return { domain: { name: domain.name, configPath: domain.configPath }, notes };
    },
  },
  running: { ...read, verb: "list", run: (host, _, options) => host.running(options) },
  adopt: {
    ...power,
    options: object({ dryRun: optional(boolean), force: optional(boolean) }),
    verb: "define",
    run: (host, _, options) => host.adopt(options),
  },
  takeOver: {
    ...power,
    options: object({ name: optional(string), replace: optional(boolean), force: optional(boolean), dryRun: optional(boolean) }),
    verb: "import",
    run: (host, [source], options) => host.takeOver(importIn(source), options),
  },
  /** That a domain may be opened: a name that can be one, a config that is there. */
  open: { ...read, verb: "info", run: async (host, [name]) => void (await host.open(String(name))) },
};

function recovery(how: unknown): "finish" | "undo" | "forget" {
  if (how === "finish" || how === "undo" || how === "forget") return how;
  throw new UsageError(`recover ${String(how)}: no such way`, { value: how, expected: "finish, undo or forget" });
}

function textIn(text: unknown): string {
  if (typeof text === "string") return text;
  throw new UsageError("edit: no text", { value: text, expected: "the text of a config" });
}

const SOURCES = [
  object({ file: string, folder: optional(string) }),
  object({ argv: list(string), folder: optional(string) }),
  object({ pid: number }),
  object({ text: string, file: string }),
];

function sourceIn(value: unknown): DefineSource {
  if (SOURCES.some((shape) => shape.fits(value))) return value as DefineSource;
  throw new UsageError("define: no source", { value, expected: "a file, a command line or a process" });
}

const from = isOneOf("libvirt", "proxmox");
const IMPORTS = [
  object({ from: isOneOf("libvirt"), name: string, connect: optional(string) }),
  object({ from: isOneOf("libvirt"), xml: string, connect: optional(string) }),
  object({ from: isOneOf("proxmox"), id: string }),
  object({ from, text: string, file: string }),
];

function importIn(value: unknown): ImportSource {
  if (IMPORTS.some((shape) => shape.fits(value))) return value as ImportSource;
  throw new UsageError("import: no source", { value, expected: "a machine of libvirt's or Proxmox's, or what their converters printed" });
}

/** The options of a call, as they arrived. @throws UsageError for one that is not as it has to be */
export function optionsIn(what: string, kind: CallKind, value: unknown): Options {
  const fault = faultOf(kind.options, value ?? {});
  if (fault !== undefined) throw new UsageError(`${what}: ${fault.message}`, { value, expected: "options of that call" }, { cause: fault });
  const known = kind.options.members ?? {};
  return Object.fromEntries(Object.entries(value ?? {}).filter(([name]) => Object.hasOwn(known, name)));
}
