import { isName } from "../../../config/names.ts";
import { isErrorCode, messageOf } from "../../../errors.ts";
import { statusAt } from "../../../file-status.ts";
import type { DomainOptions } from "../../machine/place.ts";
import { defineDomain, draftDomain } from "../define.ts";
import { nameFor, remarksOn, whose, whyKept } from "./advice.ts";
import { listRunning } from "./list-running.ts";
import type { RunningQemu } from "./running-qemu.ts";

/** Options of `adoptRunning`. */
export interface AdoptOptions extends DomainOptions {
  /** Only says what it would do. */
  readonly dryRun?: boolean | undefined;
  /** Also those that libvirt, Proxmox, Incus or a container manages. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What became of one QEMU of the host. */
export interface Adoption {
  readonly pid: number;
  /** The name of the domain that it is, or was to be. */
  readonly name: string;
  /**
   * `adopted`: it is a domain now. `planned`: it would be. `left`: it is a domain already, or somebody else manages it, or it is another
   * user's. `refused`: it can't be one; `failed`: something went wrong.
   */
  readonly outcome: "adopted" | "planned" | "left" | "refused" | "failed";
  /** Why it was left or refused. */
  readonly why?: string;
  /** The path of its config. */
  readonly path?: string;
  readonly notes: readonly string[];
}

/**
 * Makes a domain of every QEMU of this host that nobody manages; the machines run on as they are. One that can't be adopted does not stop
 * the others. Each is in the answer once, by process id.
 *
 * @throws ConfigError when the config folder can't be read; the signal's reason
 */
export async function adoptRunning(options: AdoptOptions = {}): Promise<readonly Adoption[]> {
  const { force = false, dryRun = false, signal, ...rest } = options;
  const all = await listRunning(rest);
  const wanted = all.filter(({ can }) => can === "adopt" || (can === "force" && force));
  const adoptions: Adoption[] = [];
  for (const seen of all) {
    signal?.throwIfAborted();
    const { pid, name } = { ...seen, name: nameFor(seen) };
    const twins = wanted.filter((each) => each.pid !== pid && nameFor(each) === name);
    if (!wanted.includes(seen)) adoptions.push({ pid, name, outcome: "left", why: whyLeft(seen), notes: [] });
    else if (twins.length > 0) adoptions.push({ pid, name, outcome: "refused", why: whyTwins(seen, twins), notes: [] });
    else if (!isName(name)) adoptions.push({ pid, name, outcome: "refused", why: whyNoName(pid, name), notes: [] });
    else adoptions.push(await adopt(seen, name, dryRun, { ...rest, force }));
  }
  return adoptions;
}

function whyLeft(seen: RunningQemu): string {
  if (seen.can === "domain") return `it is the domain ${seen.keptAs ?? ""} already`;
  if (seen.keeper !== null) return `${whyKept(seen)}: two masters would undo each other's changes`;
  return `it is ${whose(seen)}'s, who has to adopt it`;
}

function whyTwins({ pid }: RunningQemu, twins: readonly RunningQemu[]): string {
  const others = twins.map((each) => each.pid).join(", ");
  return `process ${others} has the same name: give one of them another: define --pid ${pid} --name NAME`;
}

function whyNoName(pid: number, name: string): string {
  return `${JSON.stringify(name)} can't be a domain's name: give it another: define --pid ${pid} --name NAME`;
}

async function adopt(
  seen: RunningQemu,
  name: string,
  dryRun: boolean,
  options: DomainOptions & { readonly force: boolean },
): Promise<Adoption> {
  const { pid } = seen;
  try {
    const remarks = remarksOn(seen);
    if (dryRun) {
      const { config, made } = await draftDomain({ pid }, { ...options, name });
      const isTaken = statusAt(config.path) !== undefined;
      if (isTaken) return { pid, name, outcome: "refused", why: taken(pid, name), notes: [] };
      return { pid, name, outcome: "planned", path: config.path, notes: [...remarks, ...made.notes] };
    }
    const { place, notes } = await defineDomain({ pid }, { ...options, name });
    const path = place.config?.path;
    return { pid, name, outcome: "adopted", ...(path === undefined ? {} : { path }), notes: [...remarks, ...notes] };
  } catch (error) {
    const isRefused = isErrorCode(error, "usage", "config", "refused", "locked");
    const isTaken = isErrorCode(error, "config") && "problem" in error && error.problem === "exists";
    return { pid, name, outcome: isRefused ? "refused" : "failed", why: isTaken ? taken(pid, name) : messageOf(error), notes: [] };
  }
}

function taken(pid: number, name: string): string {
  return `there is a config ${name} already: give it another name: define --pid ${pid} --name NAME`;
}
