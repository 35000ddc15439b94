import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { onTestFinished } from "vitest";
import type { LaunchConfig } from "../../src/config/launch.ts";
import { openRuntime } from "../../src/config/runtime.ts";
import { Domain } from "../../src/domain/domain.ts";
import { ChangeError } from "../../src/domain/errors.ts";
import { type Place, placeOf } from "../../src/domain/machine/place.ts";
import { threadsOf } from "../../src/host/threads.ts";
import { type ReplayServer, startReplay, type Weather } from "../../src/testing/index.ts";
import { ownFolders } from "../config/folder.ts";
import { type OwnProcess, runProgram } from "../host/processes.ts";
import { configOf, textOf } from "./facts.ts";
import { FakeQemu } from "./fake-qemu.ts";

/** A domain on real files, with or without a machine. */
export interface Scene {
  readonly domain: Domain;
  readonly place: Place;
  /** What opens it again. */
  readonly options: { readonly configDir: string; readonly runtimeDir: string; readonly timeout: number };
  /** The config as it stands in its file. */
  text(): Promise<string>;
  /** All files beside the config, and it. */
  files(): Promise<readonly string[]>;
}

/** A domain whose machine runs: a process that stands for QEMU, and a monitor that answers for it. */
export interface RunningScene extends Scene {
  readonly qemu: FakeQemu;
  readonly process: OwnProcess;
  readonly monitor: ReplayServer;
  /** The commands that were sent, without questions, as `balloon {"value":1}`. */
  sent(): readonly string[];
}

/** A domain `web1` that is defined and does not run. */
export async function definedDomain(config: LaunchConfig = configOf(), name = "web1", folders?: Scene["options"]): Promise<Scene> {
  const own = folders === undefined ? await ownFolders() : undefined;
  const options = folders ?? { configDir: own?.config ?? "", runtimeDir: own?.runtime ?? "", timeout: 5000 };
  const place = await placeOf(name, options);
  const path = place.config?.path ?? "";
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, textOf(config), { mode: 0o600 });
  return { domain: await Domain.open(name, options), place, options, text: () => readFile(path, "utf8"), files: () => readdir(dirname(path)) };
}

/** The same, and it runs. */
export async function runningDomain(options: { readonly scene?: Scene; readonly weather?: Weather } = {}): Promise<RunningScene> {
  const scene = options.scene ?? (await definedDomain());
  const { runtime } = scene.place;
  await openRuntime(runtime);
  // Found by its command line, as QEMU is; its threads stand for those of the vCPUs.
  const process = await runProgram(globalThis.process.execPath, "-e", "console.log('up'); process.stdin.resume()", runtime.pidfile);
  await writeFile(runtime.pidfile, `${process.pid}\n`, { mode: 0o600 });
  const threads = await threadsOf(process.pid);
  const qemu = new FakeQemu(threads.slice(1, 5).map(({ tid }) => tid));
  const monitor = await startReplay({
    answers: qemu.answers as Record<string, (args: unknown) => unknown>,
    monitors: [{ name: "control", address: `unix:${runtime.control}` }, { name: "watch", address: `unix:${runtime.watch}` }],
    ...(options.weather === undefined ? {} : { weather: options.weather }),
  });
  onTestFinished(() => monitor.close());
  const isQuestion = (command: string): boolean => command.startsWith("query-") || command === "qom-list" || command === "qom-get";
  const sent = (): readonly string[] => monitor.said.filter(({ command }) => !isQuestion(command)).map((it) => `${it.command} ${JSON.stringify(it.arguments)}`);
  // What never answers is waited for as long as it takes: not long here.
  const domain = options.weather?.greeting === "never" ? await Domain.open(scene.place.name, { ...scene.options, timeout: 200 }) : scene.domain;
  return { ...scene, domain, qemu, process, monitor, sent };
}

/** The error of a change that has to fail; with another kind than ChangeError, of that kind. Anything else that it rejects with is thrown as it is. */
export async function failure<Expected extends Error = ChangeError>(work: Promise<unknown>, kind?: new (...evidence: never[]) => Expected): Promise<Expected> {
  const failed = await work.then(() => undefined, (error: unknown) => ({ error }));
  if (failed === undefined) throw new Error("it did not fail");
  if (failed.error instanceof (kind ?? ChangeError)) return failed.error as Expected;
  throw failed.error;
}
