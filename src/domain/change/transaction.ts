import { prepareConfig, type Prepared, type Stored } from "../../config/store.ts";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import type { ProcessIdentity } from "../../host/signal.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { type Live, readLive } from "../facts/live.ts";
import { type Going, writeNotes } from "../facts/notes.ts";
import { openFor, readFacts } from "../facts/open.ts";
import { type Held, lockMachine, readStored } from "../machine/lock.ts";
import type { Monitor } from "../machine/monitor.ts";
import { type Place } from "../machine/place.ts";
import { Pulse, whyStopped } from "../machine/wait-notice.ts";
import type { ChangeOptions, Report, Scope } from "../model/change.ts";
import { ChangeError, DiedError, RefusedError } from "../model/errors.ts";
import { shellWord } from "../model/format.ts";
import { nameOf } from "../resources/registry.ts";
import type { Work } from "../resources/step.ts";
import { indices } from "../resources/vcpus.ts";
import { applySteps, recordsOf, type StepRecord } from "./apply.ts";
import type { Ending } from "./ending.ts";
import { recordOf, removeRecord, writeRecord } from "./journal.ts";
import { askedAfter } from "./notes-after.ts";
import { planAsking, type Wanted } from "./plan-asking.ts";
import type { Plan } from "./plan.ts";
import { reportOf } from "./report.ts";
import { UNDO_TIMEOUT, undoSteps } from "./undo.ts";
import { refuseUnresolved, sweep } from "./unresolved.ts";

export type { Wanted } from "./plan-asking.ts";

/** How long the live half may take, in milliseconds, unless told otherwise. */
export const CHANGE_TIMEOUT = 30_000;

/** How long the machine may take to say how it stands at the end, in milliseconds. */
const LAST_LOOK = 5000;

/**
 * One change of a domain, from the lock to the report. See SCOPES.md: lock, read, plan, prepare, live steps, commit, report;
 * whatever fails takes back what was done before it.
 *
 * @throws RefusedError (nothing touched), ChangeError (rolled back or partial), LockedError, ConfigError, UsageError
 */
export async function changeDomain(place: Place, wanted: Wanted, options: ChangeOptions): Promise<Report> {
  options.signal?.throwIfAborted();
  await using held = await lockMachine(place, options);
  // A dry run does not hold the lock: what it would find could be a living writer's.
  if (options.dryRun !== true) await refuseUnresolved(place, held);
  return await changeLocked(place, held, wanted, options);
}

/** Options of a change under a lock that is held already. */
export interface LockedOptions extends ChangeOptions {
  /** There is a record of a change already, which this one is to settle: it stays as it is. */
  readonly settling?: boolean;
}

/** A change of a machine whose lock is held, and of which nothing is left to be resolved. See `changeDomain`. */
export async function changeLocked(place: Place, held: Held, wanted: Wanted, options: LockedOptions): Promise<Report> {
  const deadline = deadlineIn(options.timeout ?? CHANGE_TIMEOUT);
  using pulse = new Pulse(options.onProgress);
  pulse.enter("waiting for QEMU", deadline);
  const { stored } = held;
  await using monitor = await openFor(place, held, { ...options, deadline, onHeld: (what) => pulse.enter(what, deadline) });
  const read = await readFacts(place, held, monitor, { by: deadline, signal: options.signal });
  const scope = options.scope ?? "current";
  const { facts, planned } = await planAsking(
    place.name,
    wanted,
    { scope, force: options.force ?? false, facts: read, stored },
    monitor.open,
    { by: deadline, signal: options.signal },
  );
  // A monitor that did not answer is not asked again.
  return await new Transaction(
    place,
    held,
    facts,
    planned,
    scope,
    options,
    facts.live === null ? null : monitor.open,
    deadline,
    pulse,
  ).run();
}

/** One change from its plan to its report. */
class Transaction {
  readonly #place: Place;
  readonly #held: Held;
  readonly #stored: Stored | null;
  readonly #facts: Facts;
  readonly #plan: Plan;
  readonly #scope: Scope;
  readonly #options: LockedOptions;
  readonly #monitor: Monitor | null;
  readonly #deadline: Deadline;
  readonly #pulse: Pulse;
  readonly #start: number = performance.now();
  readonly #records: readonly StepRecord[];
  readonly #notes: string[] = [];
  #committed: Stored | null = null;
  #died: DiedError | null = null;
  /** What a monitor ended with that answered nothing on all of the way back. */
  #silent: unknown;

  constructor(
    place: Place,
    held: Held,
    facts: Facts,
    planned: Plan,
    scope: Scope,
    options: LockedOptions,
    monitor: Monitor | null,
    deadline: Deadline,
    pulse: Pulse,
  ) {
    this.#place = place;
    this.#held = held;
    this.#stored = held.stored;
    this.#facts = facts;
    this.#plan = planned;
    this.#scope = scope;
    this.#options = options;
    this.#monitor = monitor;
    this.#deadline = deadline;
    this.#pulse = pulse;
    pulse.enter("waiting for QEMU", deadline, { pid: monitor?.pid ?? null });
    this.#records = recordsOf(planned.steps);
  }

  async run(): Promise<Report> {
    if (this.#plan.refusals.length > 0) throw new RefusedError(this.#report(null, this.#facts));
    if (this.#options.dryRun) return this.#report(null, this.#facts);
    let prepared: Prepared | null = null;
    try {
      prepared = await this.#prepare();
      await this.#keepJournal();
      await this.#doLive();
      this.#options.signal?.throwIfAborted();
      this.#committed = (await prepared?.commit()) ?? null;
      if (prepared !== null && prepared.note !== null) this.#notes.push(prepared.note);
    } catch (error) {
      await prepared?.drop();
      throw await this.#failed(error);
    }
    await this.#dropJournal();
    if (this.#plan.legs.static && this.#committed !== null && this.#facts.state !== "stopped")
      this.#notes.push("the config is for the next start: a reboot from inside the guest keeps the machine as it is");
    // Nothing was sent or written: what was read under the lock a moment ago is how it is.
    const untouched = this.#records.length === 0 && this.#committed === null;
    if (untouched) return this.#report(null, this.#facts);
    const after = await this.#after();
    const { left = [] } = this.#plan;
    if (this.#died === null && left.length > 0) throw this.#inPart(left, after);
    if (this.#died === null || this.#records.length === 0) return this.#report(null, after);
    // All was done and read back, and is gone with the machine.
    for (const record of this.#records) Object.assign(record, { outcome: "failed", reason: this.#died.message, cause: this.#died });
    throw new ChangeError(this.#report(this.#died.message, after), this.#died.message, { cause: this.#died });
  }

  /** What could be made is, and the rest is left as it is. */
  #inPart(left: NonNullable<Plan["left"]>, after: Ending["after"]): ChangeError {
    const why = `${left.map(({ change }) => nameOf(change)).join(", ")} could not be changed, the rest is done: ${left.flatMap(({ refusals }) => refusals.map(({ reason }) => reason)).join("; ")}`;
    return new ChangeError(this.#report(why, after), why, { cause: new Error(why) });
  }

  async #prepare(): Promise<Prepared | null> {
    if (this.#stored === null) return null;
    // Of writers that died: under the lock there is no living one.
    await sweep(this.#stored);
    if (this.#plan.text === null) return null;
    return prepareConfig(this.#stored, this.#plan.text);
  }

  /** From here until the end of the change, whoever finds the record knows that we died. */
  async #keepJournal(): Promise<void> {
    if (this.#records.length === 0 || this.#options.settling === true) return;
    const record = recordOf(this.#scope, this.#plan, this.#facts, this.#stored);
    await writeRecord(this.#held.books, record, this.#stored, this.#process);
  }

  async #dropJournal(): Promise<void> {
    if (this.#options.settling === true) return;
    // What is done is done: a record that stays must not turn it into a failure.
    await removeRecord(this.#held.books).catch((error: unknown) =>
      this.#notes.push(`the record of this change stays, see qmpctl recover ${shellWord(this.#place.name)}: ${messageOf(error)}`),
    );
  }

  async #doLive(): Promise<void> {
    if (this.#records.length === 0) return;
    // Before it is asked, so that it is known when we die: an unplug that QEMU has accepted can't be taken back. What is only about to be
    // asked is noted as just that.
    await this.#note(true);
    try {
      await applySteps(this.#records, { ...this.#work(), onBegun: () => this.#note(true) });
    } finally {
      await this.#note(false);
    }
  }

  /** The QEMU that is being worked on, where its process is known. */
  get #process(): ProcessIdentity | null {
    return this.#monitor?.target.machine.process ?? null;
  }

  #work(): Work {
    const live = this.#facts.live;
    if (this.#monitor === null || live === null) throw new Error("a plan with live steps for a machine that is not there");
    return {
      monitor: this.#monitor,
      live,
      deadline: this.#deadline,
      signal: this.#options.signal,
      onProgress: this.#options.onProgress === undefined ? undefined : this.#pulse.onProgress,
    };
  }

  /** Takes back what was begun, unless told to keep it, and says how it stands. */
  async #failed(error: unknown): Promise<ChangeError> {
    if (this.#options.onFailure === "keep") this.#keep();
    else if (this.#records.length > 0) {
      const { undoTimeout = UNDO_TIMEOUT } = this.#options;
      this.#pulse.enter("taking back what is half done", deadlineIn(undoTimeout), { undoing: true, pid: this.#monitor?.pid ?? null });
      this.#silent = await undoSteps(this.#records, this.#work(), undoTimeout);
      await this.#note(false);
    }
    await this.#dropJournal();
    return new ChangeError(this.#report(messageOf(error), await this.#after()), messageOf(error), { cause: error });
  }

  #keep(): void {
    for (const record of this.#records) if (record.outcome === "planned") record.outcome = "skipped";
  }

  /**
   * What the guest was asked for and may do later; kept even when the change fails in the middle. With `going`, also what it is about to be
   * asked.
   */
  async #note(going: boolean): Promise<void> {
    const facts = this.#facts as LiveFacts;
    const left = this.#records.filter(({ outcome }) => outcome === "planned");
    const more: Going | undefined =
      going && left.length > 0
        ? {
            asked: askedAfter(
              facts,
              this.#records.map((record) => (record.outcome === "planned" ? { ...record, outcome: "pending" } : record)),
            ),
            plugging: left.flatMap(({ step }) => (step.kind === "plug" ? indices(step.slot) : [])),
          }
        : undefined;
    await writeNotes(this.#held.books, this.#process, askedAfter(facts, this.#records), more).catch((error: unknown) =>
      this.#notes.push(`what was asked of the guest could not be noted: ${messageOf(error)}`),
    );
  }

  /** Both halves, read again. What can't be read any more is null, never what was hoped for. */
  async #after(): Promise<Ending["after"]> {
    const [config, live] = await Promise.all([this.#configNow(), this.#liveNow()]);
    return { config, live };
  }

  async #configNow(): Promise<Ending["after"]["config"]> {
    if (this.#stored === null) return null;
    return readStored(this.#place).then(
      (stored) => stored?.config ?? null,
      () => null,
    );
  }

  async #liveNow(): Promise<Live | null> {
    const monitor = this.#monitor;
    if (monitor === null) return null;
    const look = (): Promise<Live> =>
      monitor.ask((session) => readLive(session, monitor.pid), {
        by: deadlineIn(Math.min(LAST_LOOK, this.#options.undoTimeout ?? LAST_LOOK)),
      });
    // It has been asked, on a new connection too, until a moment ago.
    return (this.#silent === undefined ? look() : Promise.reject(this.#silent)).catch(async (error: unknown) => {
      this.#notes.push((await whyStopped(monitor.pid)) ?? messageOf(error));
      if (error instanceof DiedError) this.#died = error;
      return null;
    });
  }

  #report(failure: string | null, after: Ending["after"]): Report {
    const text = this.#plan.text;
    return reportOf({
      name: this.#place.name,
      scope: this.#scope,
      facts: this.#facts,
      plan: this.#plan,
      records: this.#records,
      after,
      committed: this.#committed !== null,
      failure,
      dryRun: this.#options.dryRun ?? false,
      notes: this.#notes,
      config: this.#stored === null || text === null ? null : { path: this.#stored.path, before: this.#stored.text, after: text },
      elapsed: Math.round(performance.now() - this.#start),
    });
  }
}
