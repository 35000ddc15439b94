import { liveCpuGroup } from "./cgroup.ts";
import type { LiveReader } from "./live.ts";

/** Reads the control group of a QEMU on this host. */
export const readCpuGroup: LiveReader = async (_session, { pid }) => ({ cpuGroup: await liveCpuGroup(pid) });
