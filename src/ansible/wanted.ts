import type { DefineSource } from "../domain/lifecycle/define.ts";
import type { Recovery } from "../domain/lifecycle/recover.ts";
import type { ChangeOptions, Scope } from "../domain/model/change.ts";
import { changesOf, readAllocation } from "../domain/resources/allocation.ts";
import type { Change, WantedAllocation } from "../domain/resources/registry.ts";
import { UsageError } from "../errors.ts";
import { domainGiven, type DomainGiven, type State } from "./domain-options.ts";
import { meantAllocation } from "./meant-values.ts";
import { isDict, shown } from "./options.ts";

/** What a task wants of a domain. */
export interface Wanted {
  readonly name: string;
  readonly state: Exclude<State, "shutdown">;
  readonly changes: readonly Change[];
  readonly scope: Scope;
  readonly source: DefineSource | null;
  readonly replace: boolean;
  readonly recover: Recovery | null;
  readonly acceptsPending: boolean;
  readonly force: boolean;
  /** For the change of a running machine. */
  readonly effort: Pick<ChangeOptions, "timeout" | "undoTimeout" | "onFailure" | "force">;
  readonly startTimeout: number | undefined;
  readonly shutdownTimeout: number | undefined;
}

/** What the arguments of a task want. @throws UsageError with what is wrong in them */
export function wantedIn(given: unknown): Wanted {
  const options = domainGiven(given);
  const { name, scope, replace, force, recover } = options;
  const state = options.state === "shutdown" ? "stopped" : options.state;
  if (/^ssh:\/\//i.test(name))
    throw new UsageError(`name: ${shown(name)} is on another host, and Ansible has gone there already`, {
      value: name,
      expected: "a name there",
    });
  const source = sourceIn(options);
  const changes = options.allocation === undefined ? [] : changesOf(allocationIn(options.allocation));
  const contradiction = contradictionIn({ state, scope, replace, source, changes });
  if (contradiction !== null) throw new UsageError(contradiction, { value: state, expected: "options that go together" });
  return {
    ...{ name, state, scope, replace, force, source, changes, recover: recover ?? null },
    acceptsPending: options.on_pending === "accept",
    effort: {
      force,
      onFailure: options.on_failure,
      ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
      ...(options.undo_timeout === undefined ? {} : { undoTimeout: options.undo_timeout }),
    },
    startTimeout: options.start_timeout,
    shutdownTimeout: options.shutdown_timeout,
  };
}

function contradictionIn({
  state,
  scope,
  replace,
  source,
  changes,
}: Pick<Wanted, "state" | "scope" | "replace" | "source" | "changes">): string | null {
  if (state === "absent" && changes.length > 0) return "allocation: a domain that is to be absent has none";
  if (state === "absent" && source !== null) return "config, command_line: a domain that is to be absent has none";
  if (replace && source === null) return "replace: with what? give config or command_line";
  if (scope === "dynamic" && changes.length > 0 && (state === "stopped" || state === "destroyed"))
    return `scope: dynamic is about a running machine, and state is ${state}; give static or both`;
  return null;
}

/** An allocation; as text it comes from the words of an ad-hoc command. */
function allocationIn(value: Exclude<DomainGiven["allocation"], undefined>): WantedAllocation {
  const values: unknown = typeof value === "string" ? readAllocation(value, "allocation") : value;
  return (isDict(values) ? meantAllocation(values) : values) as WantedAllocation;
}

function sourceIn({ name, config, command_line: command }: DomainGiven): DefineSource | null {
  if (config === undefined && command === undefined) return null;
  if (config !== undefined && command !== undefined)
    throw new UsageError("config and command_line: give only one", { value: name, expected: "config, or command_line" });
  if (isDict(config)) return { text: `${JSON.stringify({ name, ...config }, null, 2)}\n`, file: "config" };
  if (typeof config === "string") return { text: config, file: "config" };
  if (config !== undefined)
    throw new UsageError(`config: ${shown(config)} is no dictionary, and no text`, { value: config, expected: "a dictionary, or a text" });
  if (Array.isArray(command) && command.length > 0 && command.every((word) => ["string", "number"].includes(typeof word)))
    return { argv: command.map(String) };
  if (typeof command === "string" && command.trim() !== "") return { text: command, file: "command_line" };
  throw new UsageError(`command_line: ${shown(command)} is no list of words, and no line`, {
    value: command,
    expected: "a list of words, or a line as a shell would read it",
  });
}
