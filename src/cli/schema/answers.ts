import type { Ended } from "../../domain/lifecycle/ended.ts";
import type { AutostartReport, RunReport, StartReport, StopReport, Unit } from "../../domain/model/action.ts";
import type { DiffRow } from "../../domain/resources/row.ts";
import type { DiskInfo } from "../../domain/views/disks.ts";
import type { EndInfo, LastEnd } from "../../domain/views/ends.ts";
import type { Caller, Deed, HistoryChange, HistoryEntry, HistoryHalf } from "../../domain/views/history.ts";
import type { Allocation, DomainInfo, GuestInfo, VcpuInfo } from "../../domain/views/inspect.ts";
import type { BalloonStatistics, GuestStatistics, MemoryLimits, MemoryStatistics } from "../../domain/views/memstat.ts";
import type { ThreadInfo, ThreadRole } from "../../domain/views/threads.ts";
import { boolean, either, like, list, nullable, number, object, optional, record, type Shape, string, where, words } from "../../shape.ts";
import { hostMemory, legOutcome, outcome, scope, state, value } from "./report.ts";

const allocation = like<Allocation>({
  memory: nullable(number),
  maxMemory: nullable(number),
  vcpus: nullable(number),
  maxVcpus: nullable(number),
  dimms: optional(number),
  virtioMem: optional(number),
  virtioMemTarget: optional(number),
  host: optional(number),
});

/** What `info` answers. */
export const info: Shape<DomainInfo> = like<DomainInfo>({
  name: string,
  state: either(state, words({ damaged: true, unsafe: true })),
  status: optional(string),
  transient: boolean,
  pid: optional(number),
  reason: optional(string),
  emulator: optional(string),
  version: optional(string),
  config: optional(allocation),
  live: optional(allocation),
  guest: optional(like<GuestInfo>({ vcpus: nullable(number), memory: nullable(number), unknown: optional(string) })),
  configPath: optional(string),
  ended: optional(like<Ended>({ at: nullable(string), why: string })),
  interrupted: optional(string),
  uptime: optional(number),
  ends: optional(
    list(
      like<EndInfo>({
        ...{ key: string, until: string, timer: string, what: string, failure: optional(string) },
        items: list(object({ resource: string, left: value, then: value })),
        overdue: optional(where(boolean, (it) => it) as Shape<true>),
      }),
    ),
  ),
  lastEnd: optional(like<LastEnd>({ due: string, at: string, outcome, notes: list(string) })),
  endsUnreadable: optional(string),
  autostart: optional(boolean),
});

/** What `list` answers. */
export const domains: Shape<readonly DomainInfo[]> = list(info);

/** What `diff` answers. */
export const rows: Shape<readonly DiffRow[]> = list(
  like<DiffRow>({
    resource: string,
    config: value,
    live: value,
    guest: value,
    why: nullable(string),
    until: optional(string),
    then: optional(value),
    host: optional(number),
    guestAge: optional(string),
    guestUnknown: optional(string),
  }),
);

/** What `diff --all` answers. */
export const allRows: Shape<unknown> = list(
  either(object({ domain: string, rows }), object({ domain: string, error: object({ code: string, message: string }) })),
);

/** What `vcpuinfo` answers. */
export const vcpus: Shape<readonly VcpuInfo[]> = list(
  like<VcpuInfo>({
    vcpu: number,
    online: boolean,
    tid: nullable(number),
    name: nullable(string),
    cpu: nullable(number),
    cpuTime: nullable(number),
    affinity: nullable(string),
    pin: nullable(string),
  }),
);

/** What `threads` answers. */
export const threads: Shape<readonly ThreadInfo[]> = list(
  like<ThreadInfo>({
    tid: number,
    name: nullable(string),
    role: words<ThreadRole>({ main: true, vcpu: true, iothread: true, vhost: true, "former-vcpu": true, worker: true }),
    of: value,
    isKernel: optional(where(boolean, (it) => it) as Shape<true>),
    affinity: nullable(string),
    policy: nullable(string),
    cpu: nullable(number),
    cpuTime: nullable(number),
    pin: nullable(string),
    sched: nullable(string),
  }),
);

/** What `domblklist` answers. */
export const disks: Shape<readonly DiskInfo[]> = list(
  like<DiskInfo>({
    disk: nullable(string),
    qdev: nullable(string),
    drive: nullable(string),
    node: nullable(string),
    file: nullable(string),
    format: nullable(string),
    size: nullable(number),
    readOnly: nullable(boolean),
    removable: boolean,
    trayOpen: nullable(boolean),
    config: nullable(string),
    live: nullable(string),
  }),
);

/** What `memstat` answers. */
export const memory: Shape<MemoryStatistics> = like<MemoryStatistics>({
  name: string,
  state,
  balloon: nullable(like<BalloonStatistics>({ actual: number, target: nullable(number), most: number })),
  guest: nullable(like<GuestStatistics>({ figures: record(nullable(number)), at: number, age: string, period: nullable(number) })),
  host: optional(hostMemory),
  hostDenied: optional(string),
  why: optional(string),
  pid: optional(number),
  limits: optional(like<MemoryLimits>({ min: nullable(number), max: number })),
  until: optional(string),
});

const historyHalf = like<HistoryHalf>({ outcome: legOutcome, before: value, wanted: value, actual: value });

/** What `history` answers. */
export const history: Shape<readonly HistoryEntry[]> = list(
  like<HistoryEntry>({
    key: string,
    what: words<Deed>({
      ...{ change: true, recover: true, define: true, start: true, restart: true, shutdown: true, destroy: true },
      ...{ reset: true, suspend: true, resume: true },
    }),
    domain: string,
    who: like<Caller>({
      uid: number,
      user: nullable(string),
      isRoot: optional(where(boolean, (it) => it) as Shape<true>),
      sudo: optional(string),
      from: optional(string),
      program: list(string),
      pid: number,
    }),
    began: string,
    ended: string,
    outcome: words<HistoryEntry["outcome"]>({
      ...{ done: true, applied: true, unchanged: true, pending: true, "rolled-back": true, failed: true },
    }),
    scope: optional(scope),
    changes: optional(list(like<HistoryChange>({ name: string, resource: string, static: historyHalf, dynamic: historyHalf }))),
    more: optional(number),
    about: optional(string),
    recovers: optional(string),
    automatic: optional(where(boolean, (it) => it) as Shape<true>),
  }),
);

/** What `edit` answers. */
export const edited: Shape<unknown> = object({
  name: string,
  changed: boolean,
  path: optional(string),
  lines: optional(list(string)),
  notes: optional(list(string)),
});

/** What `start` and `restart` answer. */
export const started: Shape<StartReport> = like<StartReport>({
  name: string,
  pid: number,
  vcpus: number,
  memory: number,
  notes: list(string),
  elapsed: number,
  answer: optional(string),
});

/** What `run` answers when its machine has ended. */
export const ran: Shape<RunReport> = like<RunReport>({ name: string, pid: number, how: string, clean: boolean });

/** What `unit` answers. */
export const unit: Shape<Unit> = like<Unit>({ name: string, path: string, text: string });

/** What `autostart` answers. */
export const autostart: Shape<AutostartReport> = like<AutostartReport>({
  name: string,
  autostart: boolean,
  changed: boolean,
  unit: string,
  path: string,
  notes: list(string),
});

/** What `shutdown` and `destroy` answer. */
export const stopped: Shape<StopReport> = like<StopReport>({ name: string, how: string, elapsed: number });

/** What every verb answers with --json when it fails without a report. */
export const error: Shape<unknown> = object({ error: object({ code: string, message: string, cause: optional(string) }) });
