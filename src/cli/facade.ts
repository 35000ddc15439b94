import type { Change, ChangeOptions, DomainState, Progress, Report, Value } from "../domain/change.ts";

/** Options of a call that only reads. Milliseconds. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** Options of a call that waits for the machine. */
export interface WaitOptions extends ReadOptions {
  readonly onProgress?: (progress: Progress) => void;
}

/** What a domain has, or is configured to have. */
export interface Allocation {
  readonly memory: number | null;
  readonly maxMemory: number | null;
  readonly vcpus: number | null;
  readonly maxVcpus: number | null;
}

export interface DomainInfo {
  readonly name: string;
  readonly state: DomainState;
  readonly transient: boolean;
  readonly pid?: number;
  readonly reason?: string;
  readonly emulator?: string;
  readonly version?: string;
  readonly config?: Allocation;
  readonly live?: Allocation;
  readonly configPath?: string;
  readonly uptime?: number;
}

export interface VcpuInfo {
  readonly vcpu: number;
  readonly online: boolean;
  readonly tid: number | null;
  readonly name: string | null;
  readonly cpu: number | null;
  readonly cpuTime: number | null;
  readonly affinity: string | null;
  readonly pin: string | null;
}

export interface DiffRow {
  readonly resource: string;
  readonly config: Value;
  readonly live: Value;
  readonly guest: Value;
  readonly why: string | null;
}

export interface StartReport {
  readonly name: string;
  readonly pid: number;
  readonly vcpus: number;
  readonly memory: number;
  readonly notes: readonly string[];
  readonly elapsed: number;
}

export interface StopReport {
  readonly name: string;
  readonly how: string;
  readonly elapsed: number;
}

/** One event as QEMU sends it. */
export interface MonitorEvent {
  readonly event: string;
  readonly data?: unknown;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** What the verbs `qmp` and `events` need of a QMP session. */
export interface Monitor extends AsyncDisposable {
  execute(command: string, args: Record<string, unknown> | undefined, options: ReadOptions): Promise<unknown>;
  events(): AsyncIterable<MonitorEvent> & Disposable;
}

/** What the verbs need of a domain: the library's `Domain` has it all, and a test's fake is a literal. */
export interface Machine extends AsyncDisposable {
  readonly name: string;
  change(change: Change, options: ChangeOptions): Promise<Report>;
  revert(options: ChangeOptions): Promise<Report>;
  persist(options: ChangeOptions): Promise<Report>;
  info(options: ReadOptions): Promise<DomainInfo>;
  vcpus(options: ReadOptions): Promise<readonly VcpuInfo[]>;
  diff(options: ReadOptions): Promise<readonly DiffRow[]>;
  config(): Promise<string>;
  start(options: WaitOptions & { readonly paused?: boolean }): Promise<StartReport>;
  restart(options: WaitOptions): Promise<StartReport>;
  shutdown(options: WaitOptions): Promise<StopReport>;
  destroy(options: WaitOptions): Promise<StopReport>;
  reset(options: ReadOptions): Promise<void>;
  suspend(options: ReadOptions): Promise<void>;
  resume(options: ReadOptions): Promise<void>;
  undefine(): Promise<void>;
  connect(options: ReadOptions & { readonly monitor?: "control" | "watch" }): Promise<Monitor>;
}

/** Where `define` takes the launch config from. */
export type Source = { readonly file: string } | { readonly argv: readonly string[] } | { readonly pid: number };

/** The library as the verbs see it. */
export interface Facade {
  open(name: string): Promise<Machine>;
  define(source: Source, options: { readonly name?: string; readonly replace?: boolean }): Promise<{ readonly domain: { readonly name: string; readonly configPath: string | undefined }; readonly notes: readonly string[] }>;
  list(options: ReadOptions & { readonly all?: boolean }): Promise<readonly DomainInfo[]>;
}
