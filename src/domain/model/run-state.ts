/** What QEMU says a machine does, as far as this table has it; QEMU's qapi/run-state.json, RunState. */
export interface RunState {
  /** What that is, in words that follow `the guest`. */
  readonly is: string;
  /** The command by which `resume` lets it go on; null if none does, and `next` says what helps. */
  readonly resumes: "cont" | "system_wakeup" | null;
  /** Whether the guest will do later what it is asked now, when it goes on. If not, a change that needs the guest is refused. */
  readonly canWait: boolean;
  /** Whether QEMU stays stopped after a reset, so that `reset` has to let it go on. */
  readonly resetStops: boolean;
  /** The command that helps next. It takes the domain's name, quoted for a shell. */
  readonly next: (quoted: string) => string;
}

/**
 * The state of a domain. Most are QEMU's own words. `paused` stands for every state that waits for nothing but a resume; `stopped` and
 * `unreachable` are no states of a running QEMU.
 */
export type DomainState =
  | "running"
  | "paused"
  | "stopped"
  | "unreachable"
  | "suspended"
  | "shutdown"
  | "guest-panicked"
  | "internal-error"
  | "io-error"
  | "watchdog"
  | "debug"
  | "inmigrate"
  | "postmigrate"
  | "finish-migrate"
  | "save-vm"
  | "restore-vm"
  | "colo"
  | "preconfig";

const resume = (quoted: string): string => `qmpctl resume ${quoted}`;
const reset = (quoted: string): string => `qmpctl reset ${quoted}, or qmpctl destroy ${quoted}`;
const wait = (): string => "wait until it is over";
const FROZEN = { resumes: "cont", canWait: true, resetStops: false, next: resume } as const;
const OVER = { resumes: null, canWait: false, resetStops: true, next: reset } as const;
const BUSY = { resumes: null, canWait: false, resetStops: false, next: wait } as const;

const STATES: Readonly<Record<string, RunState>> = {
  running: { ...FROZEN, is: "runs", next: (quoted) => `qmpctl info ${quoted}` },
  paused: { ...FROZEN, is: "is paused" },
  prelaunch: { ...FROZEN, is: "is paused" },
  suspended: {
    resumes: "system_wakeup",
    canWait: true,
    resetStops: true,
    is: "sleeps (ACPI S3)",
    next: (quoted) => `qmpctl resume ${quoted} wakes it up`,
  },
  shutdown: {
    ...OVER,
    is: "has powered off, and -no-shutdown keeps its QEMU",
    next: (quoted) => `qmpctl reset ${quoted} boots it again, qmpctl shutdown ${quoted} ends its QEMU`,
  },
  "guest-panicked": {
    ...OVER,
    is: "has panicked",
    resumes: "cont",
    next: (quoted) =>
      `qmpctl reset ${quoted} boots it again, qmpctl destroy ${quoted} ends it; qmpctl resume ${quoted} lets it go on, where it writes a dump`,
  },
  "internal-error": { ...OVER, is: "was stopped by an error inside QEMU or KVM" },
  "io-error": {
    ...FROZEN,
    is: "was stopped by an I/O error of a disk",
    next: (quoted) => `give the disk what it lacks (space, access), then qmpctl resume ${quoted}`,
  },
  watchdog: {
    ...FROZEN,
    is: "was stopped by its watchdog",
    resetStops: true,
    next: (quoted) => `qmpctl reset ${quoted} boots it again, qmpctl resume ${quoted} lets it go on`,
  },
  debug: { ...FROZEN, is: "was stopped by a debugger", next: (quoted) => `let it go on in the debugger, or qmpctl resume ${quoted}` },
  postmigrate: {
    ...FROZEN,
    is: "was migrated to another QEMU",
    canWait: false,
    next: (quoted) => `qmpctl destroy ${quoted} ends what is left here; qmpctl resume ${quoted} would run it twice`,
  },
  inmigrate: { ...BUSY, is: "waits for a migration to come in", next: (quoted) => `migrate it here, or qmpctl destroy ${quoted}` },
  "finish-migrate": { ...BUSY, is: "is stopped by a migration at its end" },
  "save-vm": { ...BUSY, is: "is being saved" },
  "restore-vm": { ...BUSY, is: "is being restored from a snapshot" },
  colo: { ...BUSY, is: "is held by COLO" },
  preconfig: { ...BUSY, is: "is not set up yet (--preconfig)", next: (quoted) => `qmpctl qmp ${quoted} x-exit-preconfig` },
};

/** What a state of QEMU's means. A state that only a newer QEMU has is treated as a pause. */
export function runStateOf(status: string): RunState {
  return Object.hasOwn(STATES, status) ? (STATES[status] ?? unknown(status)) : unknown(status);
}

function unknown(status: string): RunState {
  return { ...FROZEN, is: `is in a state that qmpctl does not know (${status})` };
}

/** Why a guest that does not run has not let go of something yet, in words that follow `unplug is accepted; `. */
export function whenLetGo(status: string): string {
  // Before its ACPI is up, some requests are lost.
  if (status === "prelaunch") return "the guest has not started yet, and may never hear of it";
  return `the guest ${runStateOf(status).is}, and lets go of it when it runs again`;
}

/** The state of a domain whose QEMU reports this status. */
export function domainStateOf(status: string): DomainState {
  return Object.hasOwn(STATES, status) && status !== "prelaunch" ? (status as DomainState) : "paused";
}

/** Whether a domain in this state has a QEMU that answers. */
export function isThere(state: DomainState): boolean {
  return state !== "stopped" && state !== "unreachable";
}

/** Whether a machine runs or is paused, so that there is nothing more to say about it. */
export function isOrdinary(status: string): boolean {
  return status === "running" || isPaused(status);
}

/** Whether it was paused by somebody, or not let go yet, and not stopped by something that happened to it. */
export function isPaused(status: string): boolean {
  return status === "paused" || status === "prelaunch";
}

/** What to say about a machine that neither runs nor is simply paused; null for those two. */
export function remarkOn(status: string, name: string): string | null {
  if (isOrdinary(status)) return null;
  const { is, next } = runStateOf(status);
  return `the guest ${is}; ${next(name)}`;
}
