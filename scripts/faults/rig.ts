/// <reference lib="esnext.disposable" />
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Report } from "../../src/domain/change/change-report.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { WantedAllocation } from "../../src/domain/resources/registry.ts";
import { DEVICE, DEVICE_WORDS, deviceWordsIf } from "../lab/fake-devices.ts";
import { DISK, limitsText } from "../lab/fake-disks.ts";
import type { Share } from "./model-cpu.ts";
import type { Proxy } from "./proxy.ts";
import type { Tids } from "./tids.ts";

/** What an independent look finds: QEMU's answers without the product, and the kernel's masks. */
export interface Look {
  readonly memory: number;
  readonly vcpus: number;
  /** The mask by vCPU. */
  readonly masks: Readonly<Record<string, string>>;
  /** The vCPUs that the guest does not use, where it has an agent. */
  readonly offline?: readonly number[];
  /** The mask of its main thread. */
  readonly emulator: string;
  /** The mask and the policy of each thread that is none of those below, by its id: its main thread and its workers. */
  readonly workers: Readonly<Record<string, string>>;
  /** What its other threads have, by the labels of diff, as `iothread-pin io0`. */
  readonly threads: Readonly<Record<string, string>>;
  /** The limits of its disk, `none` where there are none. */
  readonly disk: string;
  /** What is in its drive, `none` where nothing is. */
  readonly medium: string;
  /** How often the guest is asked for its figures, in seconds. */
  readonly period: number;
  /** What its memory devices give, in MiB by the labels of diff. */
  readonly devices: Readonly<Record<string, number>>;
  /** Its share of the CPUs, from the files of its control group; null if it has none of its own. */
  readonly share: Share | null;
  /** The words of its device that comes and goes, or `absent`. */
  readonly device: string;
}

/** The two allocations of a case. */
export interface Ends {
  /** The vCPUs to pin. All but the first are plugged by the change itself. */
  readonly pinned: readonly number[];
  readonly base: { readonly memory: string; readonly vcpus: number; readonly mask: string };
  readonly wanted: { readonly memory: string; readonly vcpus: number; readonly mask: string };
}

/**
 * What a case needs of its machine: vCPUs to plug, to unplug, to plug with pins of several CPUs, or a guest that can be filled, or has an
 * agent.
 */
export type Kind = "usual" | "grow" | "wide" | "shrink" | "full" | "agent";

/** A running domain behind a proxy, with everything that a fault needs. */
export interface Rig extends AsyncDisposable {
  readonly name: string;
  readonly real: boolean;
  /** Whether an unplugged vCPU can be plugged again. */
  readonly replugs: boolean;
  readonly ends: Ends;
  /** The memory and vCPUs of the machine at its start, in MiB. */
  readonly limits: { readonly maxMemory: number; readonly maxVcpus: number };
  readonly configPath: string;
  /** The folder of its sockets. */
  readonly runtime: string;
  /** The folder of its lock, record and notes. */
  readonly books: string;
  readonly options: { readonly configDir: string; readonly runtimeDir: string; readonly stateDir: string };
  readonly domain: Domain;
  readonly proxy: Proxy;
  /** Stands before its guest's agent, if it has one. */
  readonly agent?: Proxy;
  readonly pid: number;
  /** Null when QEMU is gone. */
  look(): Promise<Look | null>;
  /** Waits until the guest has brought up its new vCPUs, if the next one could otherwise hang QEMU. */
  calm?(): Promise<void>;
  /** Its threads, asked of QEMU without the product. */
  tids(): Promise<Tids>;
  killQemu(): Promise<void>;
}

/** How the command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly report: Report | undefined;
}

const MAIN = new URL("../../dist/cli/main.js", import.meta.url).pathname;
const INJECT = new URL("inject.mjs", import.meta.url).href;
const GATE = new URL("gate.mjs", import.meta.url).href;

/** A fault in a file system call of the command under test, see inject.mjs. */
export interface DiskFault {
  readonly call: string;
  readonly path: string;
  readonly when: "before" | "after";
  readonly nth: number;
  readonly act: string;
}

/** What is special about this run of the command line. */
export interface Oddity {
  readonly disk?: DiskFault;
  /** A folder that comes first in its PATH. */
  readonly path?: string;
  /** The folder of a gate that its tools and its writes to control groups have to pass, see gate.ts. */
  readonly gate?: string;
  /** A program with its arguments that runs the command. */
  readonly under?: readonly string[];
  /** The user that it runs as. */
  readonly uid?: number;
}

/** The command line under test. */
export class Command {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor(rig: Rig, words: readonly string[], { disk, path, gate, under = [], uid }: Oddity = {}) {
    const env = {
      ...process.env,
      QMPCTL_CONFIG_DIR: rig.options.configDir,
      QMPCTL_RUNTIME_DIR: rig.options.runtimeDir,
      QMPCTL_STATE_DIR: rig.options.stateDir,
    };
    const node = [...(disk === undefined ? [] : ["--import", INJECT]), ...(gate === undefined ? [] : ["--import", GATE])];
    const [program = "", ...rest] = [...under, process.execPath, ...node, MAIN, ...words];
    this.process = spawn(program, rest, {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      env: {
        ...env,
        ...(disk === undefined ? {} : { QMPCTL_FAULT: JSON.stringify(disk) }),
        ...(path === undefined ? {} : { PATH: `${path}:${process.env["PATH"] ?? ""}` }),
        ...(gate === undefined ? {} : { QMPCTL_GATE: gate }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.ended = endOf(this.process);
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

async function endOf(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name]?.setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...texts, report: reportIn(texts.stdout) };
}

function reportIn(text: string): Report | undefined {
  try {
    const read = JSON.parse(text) as Report;
    return Array.isArray(read.changes) ? read : undefined;
  } catch {
    return undefined;
  }
}

/** How often the guest is to be asked, and is at a start, in seconds. */
export const PERIOD = 17;
export const USUAL = 5;

/** The change of every case. */
export function wantedOf({ ends: { pinned, wanted }, real }: Pick<Rig, "ends" | "real">): WantedAllocation {
  const pin = Object.fromEntries(pinned.map((vcpu) => [vcpu, wanted.mask]));
  return {
    memory: { current: wanted.memory, period: PERIOD },
    vcpus: { current: wanted.vcpus, pin },
    disks: { throttle: { [DISK]: { iops: 100 } } },
    // A real guest takes seconds to let go of it again.
    ...(real ? {} : { devices: { present: { [DEVICE]: DEVICE_WORDS } } }),
  };
}

/** The change back, for the next case on the same machine. */
export function baseOf({ ends: { base } }: Pick<Rig, "ends">): WantedAllocation {
  return {
    memory: { current: base.memory, period: USUAL },
    vcpus: { current: base.vcpus, pin: { 0: null } },
    disks: { throttle: { [DISK]: null } },
    devices: { present: { [DEVICE]: null } },
  };
}

/** The pins of vCPUs that are gone by then, so only in the config. */
export function unpinned({ ends: { pinned } }: Pick<Rig, "ends">): WantedAllocation | null {
  const gone = pinned.filter((vcpu) => vcpu > 0);
  return gone.length === 0 ? null : { vcpus: { pin: Object.fromEntries(gone.map((vcpu) => [vcpu, null])) } };
}

/** The values of the config, read without the product: bytes, a count, a mask or `all`. */
export interface ConfigValues {
  readonly memory: number;
  readonly vcpus: number;
  readonly pins: Readonly<Record<string, string>>;
  /** The limits of its disk, `none` where there are none. */
  readonly disk: string;
  readonly period: number;
  /** The words of its device that comes and goes, or `absent`. */
  readonly device: string;
}

/** The values in the text of a config. */
export function valuesIn(text: string): ConfigValues {
  const { memory, vcpus, disks, args } = JSON.parse(text) as {
    memory: { current: string; period?: number };
    vcpus: { current: number; pin?: Record<string, string> };
    disks?: { throttle?: Record<string, Record<string, number>> };
    args: readonly string[];
  };
  const disk = limitsText(disks?.throttle?.[DISK] ?? {});
  return {
    memory: bytesOf(memory.current),
    vcpus: vcpus.current,
    pins: vcpus.pin ?? {},
    disk,
    period: memory.period ?? USUAL,
    device: deviceWordsIf(args.includes(DEVICE_WORDS[1] ?? "")),
  };
}

/** `512MiB` in bytes. */
export function bytesOf(size: string): number {
  const [, number = "", unit = ""] = /^(\d+)([KMG])iB$/.exec(size) ?? [];
  return Number(number) * 1024 ** ("KMG".indexOf(unit) + 1);
}

/** The text of a config. Null: it can't be read. */
export function textOf(rig: Rig): Promise<string | null> {
  return readFile(rig.configPath, "utf8").catch(() => null);
}

/** Files that a writer left beside the config. */
export async function leftoversOf(rig: Rig): Promise<readonly string[]> {
  return (await readdir(dirname(rig.configPath)).catch(() => [])).filter((name) => name.endsWith(".new"));
}

/** A thread's mask, from the kernel. */
export async function maskOf(tid: number): Promise<string> {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(await readFile(`/proc/${tid}/status`, "utf8").catch(() => ""))?.[1] ?? "gone";
}
