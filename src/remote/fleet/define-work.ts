import { resolve } from "node:path";
import { readSafely } from "../../config/safe-file.ts";
import { type DefineSource, readSource } from "../../domain/lifecycle/source.ts";
import { QmpctlError, UsageError } from "../../errors.ts";
import type { FleetWork } from "./work.ts";

/** How a domain is defined on each host. */
export interface DefineOverOptions {
  readonly name?: string | undefined;
  readonly replace?: boolean | undefined;
}

/**
 * A domain that is defined on each host, from one file of this one or from one command line. None may have the name yet, unless it is to
 * be replaced.
 *
 * @throws UsageError for a process, which is of one host, and for a source that is no QEMU; ConfigError for a file that can't be read
 */
export async function defineWork(source: DefineSource, { name, replace = false }: DefineOverOptions): Promise<FleetWork> {
  if ("pid" in source)
    throw new UsageError(`define --pid ${source.pid}: a process is of one host`, {
      value: source.pid,
      expected: "-H with one host, or a file",
    });
  const read: DefineSource =
    "file" in source && !("text" in source) ? { text: (await readSafely(source.file)).text, file: resolve(source.file) } : source;
  const domain = name ?? (await readSource(read, undefined)).config.name;
  return {
    meant: domain,
    domain,
    dryRun: false,
    hasKey: false,
    find: async () => [domain],
    async plan(host) {
      const isThere = (await host.list({ all: true })).some((each) => each.name === domain);
      if (isThere && !replace) throw new QmpctlError("config", `${domain}: there is one of that name already; --replace overwrites it`);
      return { outcome: "planned" };
    },
    async make(host, _, _place, { begins, note }) {
      begins();
      const value = await host.define(read, { ...(name === undefined ? {} : { name }), replace });
      for (const each of value.notes) note(each);
      return { name: replace ? "replace" : "define", value: value.domain };
    },
  };
}
