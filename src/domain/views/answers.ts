/** What the calls that only read answer: shapes only. */
export type { DiffRow } from "../resources/row.ts";
export type { DiskInfo } from "./disks.ts";
export type { DomainInfo, VcpuInfo } from "./inspect.ts";
export type { MemoryStatistics } from "./memstat.ts";
export type { DomainStats } from "./stats.ts";
export type { ThreadInfo } from "./threads.ts";
