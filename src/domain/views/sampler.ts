import { hostname } from "node:os";
import { cpuUsage } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { listNames } from "../../config/config-folder.ts";
import { MARK_PREFIX } from "../../config/mark.ts";
import { now } from "../../deadline.ts";
import { targetAt } from "../../file-status.ts";
import { hostLoad } from "../../host/load.ts";
import { ProcessTable } from "../../host/process-table.ts";
import type { Process } from "../../host/processes.ts";
import { domainFolders, type DomainOptions } from "../machine/place.ts";
import type { Found } from "../machine/verdict.ts";
import { TapReader } from "./kernel-counts.ts";
import type { Sample, SampleOptions } from "./sample.ts";
import { Strangers } from "./strangers.ts";
import { Watched } from "./watched.ts";

/** How much of the time goes into asking QEMUs: what is left over of the CPU that all this may take. */
const SHARE = 1 / 80;
/** How much of that can be saved up, in milliseconds of CPU. */
const SAVED = 30;
/** How many that were never asked are asked at once. */
const AT_ONCE = 4;

/**
 * Looks at this host and all its machines, again and again. Each sample reads what the kernel counts, which is cheap and can't hang. QEMUs
 * are asked beside that, one after the other, as much as fits into a fixed share of a CPU: of fifty machines each every 15 to 20 seconds,
 * of three every two. One that hangs or is held delays no sample, and no other machine for longer than its first deadline.
 */
export class Sampler {
  readonly #options: DomainOptions;
  readonly #table = new ProcessTable((text) => text.includes(MARK_PREFIX) || /qemu|kvm/i.test(text));
  readonly #strangers = new Strangers();
  readonly #looking = new Map<Watched, Promise<void>>();
  /** Those that are asked whatever it takes: they never were, or a caller waits for them. */
  readonly #wanted = new Set<Watched>();
  #watched: ReadonlyMap<string, Watched> = new Map();
  #folder = "";
  #saved = SAVED;
  #at = now();

  constructor(options: DomainOptions) {
    this.#options = options;
  }

  /**
   * Takes a sample, and has some machines asked for the next ones. @throws the signal's reason; ConfigError when the folder can't be read
   */
  async next({ signal, settle = 0 }: SampleOptions = {}): Promise<Sample> {
    signal?.throwIfAborted();
    await this.#notice();
    const before = this.#at;
    this.#at = now();
    this.#saved = Math.min(SAVED, this.#saved + (this.#at - before) * SHARE);
    if (settle > 0) await this.#settled(settle, signal);
    else this.#ask(signal);
    const nets = new TapReader();
    const own = await Promise.all([...this.#watched.values()].map((each) => each.sample(nets)));
    const others = await this.#strangers.samples((found) => this.#isOurs(found), nets);
    return {
      at: now(),
      time: new Date().toISOString(),
      host: { name: hostname(), ...hostLoad() },
      machines: [...own, ...others],
    };
  }

  async #notice(): Promise<void> {
    await Promise.all([this.#table.look(), this.#noticeConfigs()]);
    const fresh = await this.#strangers.notice(this.#table.processes);
    for (const found of fresh) this.#meant(found)?.hurry();
    // One without a name may be any of them.
    if (fresh.some((found) => this.#meant(found) === undefined && found.words.name === null))
      for (const each of this.#watched.values()) if (each.isStopped) each.hurry();
    await Promise.all([...this.#watched.values()].map((each) => each.notice()));
  }

  async #noticeConfigs(): Promise<void> {
    const folders = domainFolders(this.#options);
    const stat = targetAt(folders.config);
    const folder = stat === undefined ? "" : `${stat.ino} ${stat.mtimeNs}`;
    if (folder === this.#folder) return;
    this.#folder = folder;
    const names = await listNames(folders);
    const before = this.#watched;
    const processes = async (): Promise<readonly Process[]> => this.#table.processes;
    this.#watched = new Map(names.map((name) => [name, before.get(name) ?? new Watched(name, this.#options, processes)]));
  }

  /** The domain that a process says it runs. */
  #meant({ words: { name, mark } }: Found): Watched | undefined {
    const byMark = mark === undefined ? undefined : [...this.#watched.values()].find(({ path }) => path === mark.path);
    return byMark ?? (name === null ? undefined : this.#watched.get(name));
  }

  #isOurs(found: Found): boolean {
    const { pid } = found.process;
    for (const each of this.#watched.values()) if (each.pid === pid) return true;
    // It will be told in a moment.
    return this.#meant(found)?.isKnown === false;
  }

  #ask(signal: AbortSignal | undefined): void {
    const all = [...this.#watched.values()];
    for (const each of all) if (!each.isKnown) this.#wanted.add(each);
    const free = all.filter((each) => !this.#looking.has(each));
    const first = free.filter((each) => this.#wanted.has(each)).slice(0, Math.max(0, AT_ONCE - this.#looking.size));
    for (const each of first) this.#look(each, signal);
    if (this.#wanted.size > 0) return;
    // Those that may not answer have a turn of their own.
    for (const isDoubtful of [false, true]) {
      if (this.#saved <= 0 || [...this.#looking.keys()].some((each) => each.isDoubtful === isDoubtful)) continue;
      const due = free
        .filter((each) => each.isKnown && each.isDoubtful === isDoubtful)
        .map((each) => [each, each.due(this.#watched.size)] as const)
        .filter(([, is]) => is >= 1)
        .sort(([, one], [, other]) => other - one)[0];
      if (due !== undefined) this.#look(due[0], signal);
    }
  }

  #look(watched: Watched, signal: AbortSignal | undefined): void {
    const isWanted = this.#wanted.delete(watched);
    const before = cpuUsage();
    const over = (): void => {
      this.#looking.delete(watched);
      // What a caller waits for is not charged, nor the first round: a screen without it says nothing.
      const { user, system } = cpuUsage(before);
      if (!isWanted) this.#saved -= (user + system) / 1000;
    };
    const looking = watched.look(signal).then(
      () => {
        over();
        this.#ask(signal);
      },
      over, // given up
    );
    this.#looking.set(watched, looking);
  }

  /** Asks all of them, and resolves when each was asked, or the time is over. */
  async #settled(time: number, signal: AbortSignal | undefined): Promise<void> {
    for (const each of this.#watched.values()) if (!this.#looking.has(each)) this.#wanted.add(each);
    this.#ask(signal);
    const over = new AbortController();
    const late = wait(time, undefined, { signal: over.signal }).catch(() => {});
    let isLate = false;
    void late.then(() => (isLate = true));
    while (!isLate && signal?.aborted !== true && this.#looking.size > 0) await Promise.race([late, ...this.#looking.values()]);
    over.abort();
    // Who waited for them does no longer.
    this.#wanted.clear();
    signal?.throwIfAborted();
  }
}
