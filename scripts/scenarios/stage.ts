/// <reference lib="esnext.disposable" />
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { env, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { Domain, type DomainOptions } from "../../src/index.ts";
import type { StandIn } from "../../src/testing/index.ts";
import type { GuestWord } from "../lab/guest.ts";

/** Bytes in a MiB. */
export const MIB: number = 2 ** 20;

/** What the machine of a scenario has; what is absent is 512 MiB, and one vCPU of four. */
export interface Setting {
  readonly name?: string;
  readonly memory?: Readonly<Record<string, unknown>>;
  readonly vcpus?: Readonly<Record<string, unknown>>;
  readonly guest?: { readonly balloonDevice?: boolean; readonly words?: readonly GuestWord[] };
  /** More words for QEMU. */
  readonly args?: readonly string[];
}

/** What a real guest says of itself. Where there is none everything has been said at once. */
export interface GuestVoice {
  /** The machine that was started last has its guest up. To be called once a start. */
  booted(): Promise<void>;
  /** The guest reports so many CPUs, so much memory (in bytes, but for what its kernel keeps). */
  until(wanted: { readonly cpus?: number; readonly memory?: number }): Promise<void>;
}

/** How a command of the command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A domain on some QEMU, real or replayed, and what a scenario can do with it. */
export interface Stage {
  readonly domain: Domain;
  /** Of the QEMU, real or recorded. */
  readonly major: number;
  readonly guest: GuestVoice;
  readonly options: DomainOptions;
  /** The emulator, the private folder that all is in, and the environment's names for what is in it. */
  readonly emulator: string;
  readonly folder: string;
  readonly variables: Readonly<Record<string, string>>;
  /** The guest's files, for those who start one with words of their own; null where it was recorded. */
  readonly guestFiles: Readonly<Record<"vmlinuz" | "initrd.gz", string | null>>;
  /** Runs the built command line on this domain's folders. `variables` are added to its environment. */
  cli(words: readonly string[], variables?: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Ended>;
  /** The config as it stands in its file. */
  config(): Promise<Config>;
  /** Edits the config by hand, as a person with an editor would. */
  edit(change: (config: Config) => void): Promise<void>;
}

/** The parts of a launch config that scenarios look at. */
export interface Config {
  name: string;
  memory: { max: string; current: string };
  vcpus: { max: number; current: number; pin?: Record<string, string> };
}

/** What plays the machine. `args` (of QEMU) and `guest` are there where a real guest is. */
export interface Cast {
  readonly machine: Pick<StandIn, "emulator" | "folder" | "env">;
  readonly major: number;
  readonly args?: readonly string[];
  readonly guest?: GuestVoice;
  readonly guestFiles?: Stage["guestFiles"];
}

const SILENT: GuestVoice = { booted: () => Promise.resolve(), until: () => Promise.resolve() };

/** Defines the domain of a setting in the stand-in's folders; nothing is started. */
export async function openStage(
  setting: Setting,
  { machine, major, args = argsOf(setting), guest = SILENT, guestFiles = { vmlinuz: null, "initrd.gz": null } }: Cast,
): Promise<Stage> {
  const name = setting.name ?? "web1";
  const options = {
    configDir: machine.env.QMPCTL_CONFIG_DIR,
    runtimeDir: machine.env.QMPCTL_RUNTIME_DIR,
    stateDir: machine.env.QMPCTL_STATE_DIR,
  };
  const path = join(options.configDir, `${name}.json`);
  const config = {
    name,
    emulator: machine.emulator,
    memory: { max: "512MiB", current: "512MiB", ...setting.memory },
    vcpus: { max: 4, current: 1, ...setting.vcpus },
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

/** What the config has to tell where nobody else reads its args. */
function argsOf({ guest }: Setting): readonly string[] {
  return guest?.balloonDevice === false ? [] : ["-device", "virtio-balloon-pci,id=balloon0"];
}

const PROGRAM = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

async function runProgram(words: readonly string[], variables: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Ended> {
  // In a group of its own where we pass interrupts on: a terminal's ^C would come twice, and twice means at once.
  const child = spawn(execPath, [PROGRAM, ...words], {
    env: { ...env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    detached: signal !== undefined,
  });
  // It takes back what is half done, and is waited for: what it may have started is there to be found then.
  const interrupt = (): void => void child.kill("SIGINT");
  signal?.addEventListener("abort", interrupt, { once: true });
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => (texts[stream] += text));
  const [code] = (await once(child, "close")) as [number | null];
  signal?.removeEventListener("abort", interrupt);
  return { code, ...texts };
}
