import "./node-supported.ts";
import "./remote/register.ts";
export { QmpctlError, UsageError, HostError, UnsafeError, isErrorCode, type ErrorCode } from "./errors.ts";
export {
  connect,
  open,
  type CallOptions,
  type CloseReason,
  type ConnectOptions,
  type EventFilter,
  type EventOptions,
  type LateReply,
  type OpenOptions,
  type Session,
  type SlowNotice,
} from "./qmp/session.ts";
export type { EventStream } from "./qmp/event-stream.ts";
export { watch, type Gap, type Sight, type Watcher, type WatchOptions } from "./qmp/watch.ts";
export { powerDown, quit, unplug, type Unplugged } from "./qmp/endings.ts";
export { oobCommands, probe, type Liveness } from "./qmp/oob.ts";
export type { AgentArguments, AgentCommands, AgentReturns } from "./schema/agent-commands.ts";
export { connectAgent, type AgentOptions, type GuestAgent } from "./qmp/guest-agent.ts";
export { spawnQemu, type SpawnedQemu, type SpawnOptions } from "./qmp/spawn.ts";
export { listen, type Listener } from "./wire/listen.ts";
export { formatAddress, parseTarget, type Address, type ExecAddress, type Target, type TlsAddress } from "./wire/address.ts";
export type { FramingOptions } from "./wire/framing.ts";
export type { Message, Transport } from "./wire/transport.ts";
export { ConnectError, ProtocolError } from "./wire/errors.ts";
export type { QmpEvent } from "./schema/event.ts";
export type { Greeting } from "./schema/message.ts";
export { ArgumentError, type ArgumentIssue } from "./schema/argument-error.ts";
export type { SessionOf } from "./qmp/session-of.ts";
export type { QemuCommands } from "./schema/generated/commands.ts";
export type { QemuEvents } from "./schema/generated/events.ts";
export type { ArgumentsOf, CommandsOf, DataOf, EventsOf, QemuRelease, ReturnsOf } from "./schema/vocabulary.ts";
export { Domain } from "./domain/domain.ts";
export { balance } from "./domain/balance/balance.ts";
export type * from "./domain/balance/shapes.ts";
export type { Balanced } from "./domain/balance/balanced.ts";
export type { BalanceMove } from "./domain/balance/round.ts";
export { listDomains, type ListOptions } from "./domain/views/list.ts";
export type * from "./domain/model/change.ts";
export type { Change, Resource } from "./domain/resources/registry.ts";
export type { ChangeReport, Report } from "./domain/change/change-report.ts";
export { ChangeError, RefusedError } from "./domain/change/errors.ts";
export type { WorkedOut } from "./domain/change/plan-asking.ts";
export { newDimm, type NewDimm } from "./domain/resources/new-dimm.ts";
export { wholeMemory, type WholeMemory } from "./domain/resources/whole-memory.ts";
export { DiedError, StateError } from "./domain/model/errors.ts";
export type { DefineOptions, DefineSource, UndefineReport } from "./domain/lifecycle/define.ts";
export type { WantedAllocation } from "./domain/resources/registry.ts";
export { InterruptedError, type Interrupted, type InterruptedChange } from "./domain/change/interrupted-error.ts";
export type { Recovery, RecoveryReport } from "./domain/lifecycle/recover.ts";
export type { DiffRow } from "./domain/resources/row.ts";
export type { DiskInfo } from "./domain/views/disks.ts";
export type { Allocation, DomainInfo, VcpuInfo } from "./domain/views/inspect.ts";
export type { Caller, Deed, History, HistoryChange, HistoryEntry, HistoryHalf, HistoryOptions } from "./domain/views/history.ts";
export type { ThreadInfo, ThreadRole } from "./domain/views/threads.ts";
export type { BalloonStatistics, GuestStatistics, MemoryLimits, MemoryStatistics } from "./domain/views/memstat.ts";
export type { DomainOptions } from "./domain/machine/place.ts";
export type {
  MemoryOptions,
  MonitorOptions,
  ReadOptions,
  StartOptions,
  StartReport,
  StopOptions,
  StopReport,
} from "./domain/model/action.ts";
export type { LockHolder } from "./host/lock-holder.ts";
export { LockedError } from "./host/locked-error.ts";
export { Host } from "./remote/host.ts";
export { Fleet, type FleetReadOptions } from "./remote/fleet/fleet.ts";
export type { FleetConnectOptions } from "./remote/fleet/fleet-parts.ts";
export type { FleetOptions, FleetProgress } from "./remote/fleet/campaign.ts";
export type { FleetOutcome, FleetReport, FleetTarget, TargetOutcome } from "./remote/fleet/target.ts";
export type { FleetAnswer } from "./remote/fleet/ask-fleet.ts";
export type { FleetEvent, FleetEventOptions } from "./remote/fleet/fleet-events.ts";
export type { HostOptions } from "./remote/connection.ts";
export type { Outcome as KeptOutcome } from "./remote/outcomes.ts";
export { ForbiddenError, LostError, UnreachableError, type Unreachable } from "./remote/errors.ts";
export { ConfigError, type ConfigIssue } from "./config/config-error.ts";
export { formatSize, parseSize } from "./config/size.ts";
export { ClosedError, CommandError, GreetingError, NegotiationError, OverflowError, TimeoutError, type Whereabouts } from "./qmp/errors.ts";
