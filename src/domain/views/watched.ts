import { now } from "../../deadline.ts";
import { targetAt } from "../../file-status.ts";
import { isStillThere } from "../../host/signal.ts";
import { domainFolders, type DomainOptions, type Place, placeOf } from "../machine/place.ts";
import { glance, type Glance } from "./glance.ts";
import { unreadable } from "./inspect.ts";
import { kernelCounts, NO_COUNTS, type TapReader, type VcpuThread, vcpuThreadsOf } from "./kernel-counts.ts";
import type { Difference, MachineSample } from "./sample.ts";

/** How long a domain is left alone after a look, in milliseconds, and for how much of the others' looks that is longer. */
const REST = 2000;
const REST_AMONG = 100;
/** The longest rest of one that gave no answer. */
const LONGEST_REST = 15_000;
/** Every so many looks, both halves are compared. */
const WHOLE = 4;

/** A domain of the config folder, and what was last seen of it. */
export class Watched {
  readonly name: string;
  readonly #options: DomainOptions;
  readonly #processes: Place["processes"];
  #last: Glance | undefined;
  /** Why its config can't be read. */
  #broken: ReturnType<typeof unreadable> | undefined;
  #differs: readonly Difference[] = [];
  #threads: readonly VcpuThread[] = [];
  #config = "";
  #looks = 0;
  #silent = 0;
  #looked = -Infinity;
  #isUrgent = true;

  constructor(name: string, options: DomainOptions, processes: Place["processes"]) {
    this.name = name;
    this.#options = options;
    this.#processes = processes;
  }

  /** Whether it was looked at. */
  get isKnown(): boolean {
    return this.#last !== undefined || this.#broken !== undefined;
  }

  /** Whether it may take the whole deadline to look at it. */
  get isDoubtful(): boolean {
    return this.#silent > 0;
  }

  get pid(): number | undefined {
    return this.#last?.process?.pid;
  }

  get isStopped(): boolean {
    return this.#last?.state === "stopped";
  }

  /** The path of its config. */
  get path(): string {
    return `${domainFolders(this.#options).config}/${this.name}.json`;
  }

  /** Something has happened: it is looked at before others. */
  hurry(): void {
    this.#isUrgent = true;
  }

  /** How much a look is due: from 1 on it is, and that of the highest number first. `among`: how many there are. */
  due(among: number): number {
    if (this.#isUrgent) return Infinity;
    const moves = this.#last?.target != null || this.#differs.some(({ kind }) => kind === "moving");
    const rest = moves ? REST : Math.max(REST, REST_AMONG * among);
    return (now() - this.#looked) / Math.min(Math.max(LONGEST_REST, rest), rest * 2 ** this.#silent);
  }

  /** Notices what takes no question: another config, an end of its process. */
  async notice(): Promise<void> {
    const stat = targetAt(this.path);
    const config = stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    if (config !== this.#config) {
      this.#config = config;
      this.#looks = 0;
      this.hurry();
    }
    const process = this.#last?.process;
    if (process == null || this.#last === undefined || (await isStillThere(process))) return;
    const { reason: _, ...rest } = this.#last;
    this.#last = { ...rest, process: null, state: "stopped", target: null, guest: null, cgroup: null, taps: [], disks: null };
    this.#differs = [];
    this.hurry();
  }

  /** Asks it. @throws the signal's reason */
  async look(signal: AbortSignal | undefined): Promise<void> {
    this.#isUrgent = false;
    const isWhole = this.#looks % WHOLE === 0;
    this.#looks += 1;
    try {
      const place = { ...(await placeOf(this.name, this.#options)), processes: this.#processes };
      const found = await glance(place, isWhole, signal);
      this.#broken = undefined;
      this.#take(found);
    } catch (error) {
      signal?.throwIfAborted();
      this.#broken = unreadable(this.name, error);
      this.#last = undefined;
    }
    this.#looked = now();
  }

  #take(found: Glance): void {
    const before = this.#last;
    const isSame = before?.process?.pid === found.process?.pid && before?.process?.started === found.process?.started;
    const isSilent = found.answered === null && found.state !== "stopped";
    this.#silent = isSilent ? this.#silent + 1 : 0;
    // What it said before is still the best that is known.
    const { allocation, threads, target, guest, cgroup, disks, taps, answered } = before ?? found;
    this.#last = isSilent && isSame ? { ...found, allocation, threads, target, guest, cgroup, disks, taps, answered } : found;
    if (!isSame || found.state === "stopped") this.#differs = [];
    if (found.differs !== null) this.#differs = found.differs;
    else if (isSame && before !== undefined && !isSilent && isOther(before, found)) this.#looks = 0;
  }

  /** What there is to say of it now. */
  async sample(nets: TapReader): Promise<MachineSample> {
    const last = this.#last;
    if (last === undefined) return { ...UNKNOWN, name: this.name, ...brokenOf(this.#broken) };
    const { allocation, process, disks, reason, state, target, guest, cgroup, taps, interrupted, answered } = last;
    const pid = process?.pid;
    if (pid !== undefined) this.#threads = last.threads ?? (await vcpuThreadsOf(pid));
    const { resident, ...counts } = pid === undefined ? NO_COUNTS : await kernelCounts(pid, this.#threads, nets.of(pid, taps));
    return {
      name: this.name,
      defined: true,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(pid === undefined ? {} : { pid }),
      ...counts,
      count: { current: allocation.vcpus, max: allocation.maxVcpus },
      memory: { current: allocation.memory, target, max: allocation.maxMemory, host: resident, cgroup, guest },
      disks,
      differs: this.#differs,
      interrupted,
      asked: answered === null ? null : Math.round(now() - answered),
    };
  }
}

/** Whether what can be changed is another than before: then both halves are compared again. */
function isOther(before: Glance, { allocation }: Glance): boolean {
  return before.allocation.memory !== allocation.memory || before.allocation.vcpus !== allocation.vcpus;
}

function brokenOf(broken: ReturnType<typeof unreadable> | undefined): Pick<MachineSample, "state" | "reason"> {
  return broken === undefined
    ? { state: null }
    : { state: broken.state, ...(broken.reason === undefined ? {} : { reason: broken.reason }) };
}

/** A domain of which nothing is known. */
const UNKNOWN: Omit<MachineSample, "name" | "state"> = {
  defined: true,
  cpuTime: null,
  vcpus: [],
  count: { current: null, max: null },
  memory: { current: null, target: null, max: null, host: null, cgroup: null, guest: null },
  disks: null,
  nets: [],
  differs: [],
  interrupted: false,
  asked: null,
};
