import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { onTestFinished } from "vitest";
import { configOf, textOf } from "../../scripts/lab/facts.ts";
import { FakeQemu } from "../../scripts/lab/fake-qemu.ts";
import { toCommandLine } from "../../src/config/argv.ts";
import { type LaunchConfig, parseLaunchConfig } from "../../src/config/launch.ts";
import { openFolder, runtimePaths, type RuntimePaths, statePaths, type StatePaths } from "../../src/config/runtime.ts";
import { readConfig } from "../../src/config/store.ts";
import { ChangeError } from "../../src/domain/change/errors.ts";
import { Domain } from "../../src/domain/domain.ts";
import { openBooks } from "../../src/domain/machine/lock.ts";
import { machineIdOf } from "../../src/domain/machine/machine-id.ts";
import { type Place, placeOf } from "../../src/domain/machine/place.ts";
import { acquireLock, type Lock, type LockOptions } from "../../src/host/lock.ts";
import type { ProcessIdentity } from "../../src/host/signal.ts";
import { threadsOf } from "../../src/host/threads.ts";
import { type ReplayServer, startReplay, type Weather } from "../../src/testing/index.ts";
import { ownFolders } from "../config/folder.ts";
import { type OwnProcess, runStandIn } from "../host/processes.ts";

/** A domain on real files, with or without a machine. */
export interface Scene {
  readonly domain: Domain;
  readonly place: Place;
  /** Where its sockets go. */
  readonly runtime: RuntimePaths;
  /** Its lock, record and notes. */
  readonly books: StatePaths;
  /** Who its machine is. */
  readonly id: string;
  /** What opens it again. */
  readonly options: { readonly configDir: string; readonly runtimeDir: string; readonly stateDir: string; readonly timeout: number };
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
  const options = folders ?? { configDir: own?.config ?? "", runtimeDir: own?.runtime ?? "", stateDir: own?.state ?? "", timeout: 5000 };
  const place = await placeOf(name, options);
  if (place.config === null) throw new Error(`${name}: has no place for a config`);
  const { path, key } = place.config;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, textOf(config), { mode: 0o600 });
  const id = await machineIdOf(await readConfig(place.config));
  const [runtime, books] = [runtimePaths(place.folders, key), statePaths(place.folders, id)];
  return {
    domain: await Domain.open(name, options),
    place,
    runtime,
    books,
    id,
    options,
    text: () => readFile(path, "utf8"),
    files: () => readdir(dirname(path)),
  };
}

/** The same, and it runs. */
export async function runningDomain(options: { readonly scene?: Scene; readonly weather?: Weather } = {}): Promise<RunningScene> {
  const scene = options.scene ?? (await definedDomain());
  const { runtime, id, place } = scene;
  await openFolder(runtime.folder);
  // Found by its command line, as QEMU is; its threads stand for those of the vCPUs.
  const config = parseLaunchConfig(await scene.text(), "web1.json");
  const process = await runStandIn(toCommandLine(config, runtime, { id, path: place.config?.path ?? "" }));
  await writeFile(runtime.pidfile, `${process.pid}\n`, { mode: 0o600 });
  const threads = await threadsOf(process.pid);
  const qemu = new FakeQemu(
    threads.slice(1, 5).map(({ tid }) => tid),
    { name: config.name, id },
  );
  const monitor = await startReplay({
    answers: qemu.answers as Record<string, (args: unknown) => unknown>,
    monitors: [
      { name: "control", address: `unix:${runtime.control}` },
      { name: "watch", address: `unix:${runtime.watch}` },
    ],
    ...(options.weather === undefined ? {} : { weather: options.weather }),
  });
  onTestFinished(() => monitor.close());
  const isQuestion = (command: string): boolean =>
    command.startsWith("query-") || ["qom-list", "qom-get", "human-monitor-command"].includes(command);
  // To have the guest asked for its figures is a question too.
  const isPoll = (args: unknown): boolean =>
    (args as { readonly property?: string } | undefined)?.property === "guest-stats-polling-interval";
  const sent = (): readonly string[] =>
    monitor.said
      .filter(({ command, arguments: args }) => !isQuestion(command) && !isPoll(args))
      .map((it) => `${it.command} ${JSON.stringify(it.arguments)}`);
  // What never answers is waited for as long as it takes: not long here.
  const domain =
    options.weather?.greeting === "never" ? await Domain.open(scene.place.name, { ...scene.options, timeout: 200 }) : scene.domain;
  return { ...scene, domain, qemu, process, monitor, sent };
}

/**
 * The error of a change that has to fail; with another kind than ChangeError, of that kind. Anything else that it rejects with is thrown as
 * it is.
 */
export async function failure<Expected extends Error = ChangeError>(
  work: Promise<unknown>,
  kind?: new (...evidence: never[]) => Expected,
): Promise<Expected> {
  const failed = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (failed === undefined) throw new Error("it did not fail");
  if (failed.error instanceof (kind ?? ChangeError)) return failed.error as Expected;
  throw failed.error;
}

/** Takes the machine's lock, as another writer would. */
export async function takeLock({ books }: Scene, options: LockOptions): Promise<Lock> {
  await openBooks(books);
  return acquireLock(books.lock, options);
}

/** What is written down of what was asked of the machine. */
export async function asked({ books, process }: RunningScene): Promise<unknown> {
  const kept = JSON.parse(await readFile(books.notes, "utf8").catch(() => "null")) as {
    readonly process: ProcessIdentity;
    readonly asked: unknown;
  } | null;
  if (kept === null || kept.process.pid !== process.pid || "going" in kept) return kept;
  return kept.asked;
}
