import { formatTime, HostError } from "../errors.ts";
import { type CpuSet, formatCpuList, parseCpuList } from "./cpulist.ts";
import { readKernelFile } from "./kernel-file.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** Limits of a call: `timeout` is in milliseconds, 5000 unless told. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/**
 * The CPUs that a thread may run on now. Source: /proc/TID/status.
 *
 * @throws HostError when the thread has ended
 */
export async function readAffinity(tid: number): Promise<CpuSet> {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readOr(`/proc/${tid}/status`, `thread ${tid}: it is gone`))?.[1];
  if (list === undefined) throw new HostError(`thread ${tid}: /proc shows no CPUs for it`);
  return parseCpuList(list);
}

/**
 * Restricts a thread to these CPUs with taskset(1), and returns the CPUs that the kernel then reports. Those can be fewer: a cpuset narrows
 * them silently, so compare.
 *
 * @throws HostError with taskset's own words when it fails; the signal's reason as it is
 */
export async function setAffinity(tid: number, set: CpuSet, options: CallOptions = {}): Promise<CpuSet> {
  await run("taskset", ["-pc", formatCpuList(set), String(tid)], options);
  return readAffinity(tid);
}

/**
 * The CPUs of this host that are online. Source: /sys/devices/system/cpu/online.
 *
 * @throws HostError when they can't be read
 */
export async function onlineCpus(): Promise<CpuSet> {
  return readCpus("online");
}

/**
 * All CPUs of this host, also those taken offline. Source: /sys/devices/system/cpu/present.
 *
 * @throws HostError when they can't be read
 */
export async function presentCpus(): Promise<CpuSet> {
  return readCpus("present");
}

function readCpus(which: string): CpuSet {
  const file = `/sys/devices/system/cpu/${which}`;
  return parseCpuList(readOr(file, `${which} CPUs: ${file} can't be read`));
}

function readOr(file: string, message: string): string {
  try {
    return readKernelFile(file);
  } catch (cause) {
    throw new HostError(message, {}, { cause });
  }
}

async function run(tool: string, args: readonly string[], { signal, timeout = 5000 }: CallOptions): Promise<void> {
  signal?.throwIfAborted();
  const command = [tool, ...args];
  return new Promise((resolve, reject) => {
    const child = childProcesses().execFile(
      tool,
      args,
      { timeout, killSignal: "SIGKILL", env: toolEnvironment() },
      (cause, _stdout, stderr) => {
        signal?.removeEventListener("abort", onAbort);
        if (signal?.aborted === true) reject(signal.reason);
        else if (cause === null) resolve();
        else reject(new HostError(`${command.join(" ")}: ${whyItFailed(cause, stderr, tool, timeout)}`, { command, stderr }, { cause }));
      },
    );
    const onAbort = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function whyItFailed(
  cause: Error & { readonly code?: unknown; readonly killed?: boolean },
  stderr: string,
  tool: string,
  timeout: number,
): string {
  if (cause.code === "ENOENT") return `there is no ${tool} on this machine, it comes with util-linux`;
  if (cause.killed === true) return `no end after ${formatTime(timeout)}`;
  const words = stderr.trim().split("\n").at(-1) ?? "";
  return words.replace(`${tool}: `, "") || `it ended with status ${String(cause.code)}`;
}
