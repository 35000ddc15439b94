/// <reference lib="esnext.disposable" />
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { env, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { Domain, type DomainOptions } from "../../src/index.ts";
import type { StandIn } from "../../src/testing/index.ts";
import { agentArgs, type GuestOptions } from "../lab/guest.ts";

/** Bytes in a MiB. */
export const MIB: number = 2 ** 20;

/** The machine of a scenario. Default: 512 MiB, and one vCPU of four. */
export interface Setting {
  readonly name?: string;
  readonly memory?: Readonly<Record<string, unknown>>;
  readonly vcpus?: Readonly<Record<string, unknown>>;
  readonly guest?: Pick<GuestOptions, "balloonDevice" | "words" | "append"> & {
    /** It has an agent, and the config names its channel. */
    readonly hasAgent?: true;
  };
  /** More arguments for QEMU. */
  readonly args?: readonly string[];
}

/** What a guest reports, as far as a scenario looks at it. */
export interface GuestState {
  readonly cpus?: number;
  readonly memory?: number;
  readonly more?: number;
}

/** The reports of a real guest. Without a real guest, all of this resolves at once. */
export interface GuestVoice {
  /** Waits until the guest of the last start is up. Call it once for each start. */
  booted(): Promise<void>;
  /**
   * Waits until the guest reports this many CPUs and this much memory (in bytes, without what its kernel keeps), or so much `more` of it
   * than
   * when it was up.
   */
  until(wanted: GuestState): Promise<void>;
}

/** The result of a run of the command line. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A domain on a real or replayed QEMU, and what a scenario can do with it. */
export interface Stage {
  readonly domain: Domain;
  /** The version of the QEMU, real or recorded. */
  readonly major: number;
  readonly guest: GuestVoice;
  readonly options: DomainOptions;
  /** The emulator, the private folder of all files, and the environment variables that point into it. */
  readonly emulator: string;
  readonly folder: string;
  /** The address of the guest agent's channel, for another program than qmpctl. */
  readonly agent: string;
  readonly variables: Readonly<Record<string, string>>;
  /** The guest's files, for a start with other arguments. Null: it is a recording. */
  readonly guestFiles: Readonly<Record<"vmlinuz" | "initrd.gz", string | null>>;
  /** Runs the built command line with this domain's folders. `variables` are added to its environment. */
  cli(words: readonly string[], variables?: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Ended>;
  /** The config in its file. */
  config(): Promise<Config>;
  /** Edits the config file, as a person with an editor would. */
  edit(change: (config: Config) => void): Promise<void>;
}

/** The parts of a launch config that scenarios look at. */
export interface Config {
  name: string;
  memory: { max: string; current: string };
  vcpus: { max: number; current: number; online?: string; pin?: Record<string, string> };
  args: string[];
}

/** What plays the machine. With a real guest it has QEMU's `args` and the `guest`. */
export interface Cast {
  readonly machine: Pick<StandIn, "emulator" | "folder" | "env">;
  readonly major: number;
  readonly args?: readonly string[];
  readonly guest?: GuestVoice;
  readonly guestFiles?: Stage["guestFiles"];
}

const SILENT: GuestVoice = { booted: () => Promise.resolve(), until: () => Promise.resolve() };

/** Defines the domain of a setting in the stand-in's folders. It starts nothing. */
export async function openStage(
  setting: Setting,
  { machine, major, args = argsOf(setting, machine), guest = SILENT, guestFiles = { vmlinuz: null, "initrd.gz": null } }: Cast,
): Promise<Stage> {
  const name = setting.name ?? "web1";
  const options = {
    configDir: machine.env.QMPCTL_CONFIG_DIR,
    runtimeDir: machine.env.QMPCTL_RUNTIME_DIR,
    stateDir: machine.env.QMPCTL_STATE_DIR,
  };
  const path = join(options.configDir, `${name}.json`);
  const agent = setting.guest?.hasAgent === true ? agentOf(machine) : undefined;
  const config = {
    name,
    emulator: machine.emulator,
    memory: { max: "512MiB", current: "512MiB", ...setting.memory },
    vcpus: { max: 4, current: 1, ...setting.vcpus },
    ...(agent === undefined ? {} : { agent }),
    args: ["-nodefaults", "-no-user-config", ...args, ...(setting.args ?? [])],
  };
  await mkdir(options.configDir, { recursive: true });
  const write = (text: unknown): Promise<void> => writeFile(path, `${JSON.stringify(text, null, 2)}\n`, { mode: 0o600 });
  const read = async (): Promise<Config> => JSON.parse(await readFile(path, "utf8")) as Config;
  await write(config);
  return {
    domain: await Domain.open(name, options),
    major,
    guest,
    options,
    emulator: machine.emulator,
    folder: machine.folder,
    agent: `unix:${agentOf(machine)}`,
    variables: machine.env,
    guestFiles,
    cli: (words, variables = {}, signal) => runProgram(words, { ...machine.env, ...variables }, signal),
    config: read,
    edit: async (change) => {
      const now = await read();
      change(now);
      await write(now);
    },
  };
}

/** The path of a machine's channel to its guest's agent. */
export function agentOf({ folder }: Pick<StandIn, "folder">): string {
  return join(folder, "agent.sock");
}

/** The args of the config for a replay, where only qmpctl reads them. */
function argsOf({ guest }: Setting, machine: Cast["machine"]): readonly string[] {
  const balloon = guest?.balloonDevice === false ? [] : ["-device", "virtio-balloon-pci,id=balloon0"];
  return guest?.hasAgent === true ? [...balloon, ...agentArgs(agentOf(machine))] : balloon;
}

const PROGRAM = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

async function runProgram(words: readonly string[], variables: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Ended> {
  // If we pass interrupts on, it gets its own process group. Otherwise ^C would reach it twice, which means to quit at once.
  const child = spawn(execPath, [PROGRAM, ...words], {
    env: { ...env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    detached: signal !== undefined,
  });
  // We wait while it undoes what is half done. After that, everything that it started can be found.
  const interrupt = (): void => void child.kill("SIGINT");
  signal?.addEventListener("abort", interrupt, { once: true });
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => (texts[stream] += text));
  const [code] = (await once(child, "close")) as [number | null];
  signal?.removeEventListener("abort", interrupt);
  return { code, ...texts };
}
