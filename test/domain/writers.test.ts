import { execFile } from "node:child_process";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { configOf } from "../../scripts/lab/facts.ts";
import { parseLaunchConfig } from "../../src/config/launch.ts";
import type { Report } from "../../src/domain/change/change-report.ts";
import { openBooks } from "../../src/domain/machine/lock.ts";
import { acquireLock } from "../../src/host/lock.ts";
import { start } from "../cli/program.ts";
import { definedDomain, runningDomain, type Scene } from "./scene.ts";

/** How one of many processes ended. */
interface Writer {
  readonly argv: readonly string[];
  readonly pid: number;
  readonly code: number | null;
  readonly stderr: string;
  /** What it says that it did; null where it did nothing. */
  readonly report: Report | null;
}

async function write({ options }: Scene, ...argv: readonly string[]): Promise<Writer> {
  const { child, ended } = start([...argv, "--json"], {
    QMPCTL_CONFIG_DIR: options.configDir,
    QMPCTL_RUNTIME_DIR: options.runtimeDir,
    QMPCTL_STATE_DIR: options.stateDir,
  });
  const { code, stdout, stderr } = await ended;
  const said = JSON.parse(stdout) as Report | { error: unknown };
  return { argv, pid: child.pid ?? 0, code, stderr, report: "outcome" in said ? said : null };
}

/** Saves the config with one key more as an editor does: a new file, then a rename. */
async function edit(path: string, key: string): Promise<void> {
  const text = await readFile(path, "utf8");
  await writeFile(`${path}~`, text.replace("{", `{\n  "${key}": true,`), { mode: 0o600 });
  await rename(`${path}~`, path);
}

/** The same by a shell that takes the lock as any script can. */
async function editUnderLock({ place, books }: Scene, key: string): Promise<void> {
  const path = place.config?.path ?? "";
  const script = `sed 's/{/{ "${key}": true,/;t done;b;:done;n;b done' "$1" > "$1.$2" && chmod 600 "$1.$2" && mv "$1.$2" "$1"`;
  await promisify(execFile)("flock", [books.lock, "sh", "-c", script, "sh", path, key]);
}

/**
 * The values that a resource had, one after the other, when every report tells the truth: each writer found what the one before it
 * left, so the pairs (before, after) are one path from the first value to the last, and none is left over.
 */
function history(writers: readonly Writer[], half: "static" | "dynamic", resource: string, first: unknown): readonly unknown[] {
  const pairs = writers
    .filter(({ code }) => code === 0)
    .flatMap(({ report }) => report?.changes ?? [])
    .filter(({ change }) => `${change.resource}${"vcpu" in change ? ` ${change.vcpu}` : ""}` === resource)
    .map((change) => [change[half].before, change[half].actual] as const)
    .filter(([before, after]) => before !== after);
  const path = pathThrough(first, pairs);
  if (path === undefined) throw new Error(`${resource}: ${JSON.stringify(pairs)} are no path from ${JSON.stringify(first)}`);
  return path;
}

/** A path that begins at `first` and goes through every pair once: where values come again, the first that fits may be the wrong one. */
function pathThrough(first: unknown, pairs: readonly (readonly [unknown, unknown])[]): readonly unknown[] | undefined {
  if (pairs.length === 0) return [first];
  for (const [position, [before, after]] of pairs.entries()) {
    const rest = before === first ? pathThrough(after, pairs.toSpliced(position, 1)) : undefined;
    if (rest !== undefined) return [first, ...rest];
  }
  return undefined;
}

const MIB = 2 ** 20;
const count = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);
const HELD_BY =
  /^qmpctl: [^\n]*\/lock: locked by process (\d+) \(([^)]+)\) since \d{4}-\d\d-\d\dT[\d:.]+Z, waited [\d.]+ m?s(?:; [^\n]*)?\n$/;

test("P4: 50 processes and 5 editors at once, on one stopped domain: what said 0 is in the result, in some order, and nothing is lost", async () => {
  const scene = await definedDomain(configOf({ vcpus: { max: 64, current: 2, pin: {} } }));
  await openBooks(scene.books);
  const editors = count(5).map((each) => editUnderLock(scene, `edited${each}`));
  const writers = await Promise.all([
    // Each of these values is wanted once only: a path through all of them is the order in which they were written.
    ...count(10).map((each) => write(scene, "setmem", "web1", `${100 + each}M`, "--static")),
    ...count(10).map((each) => write(scene, "setvcpus", "web1", `${10 + each}`, "--static")),
    ...count(5).map((each) => write(scene, "setmaxmem", "web1", `${3000 + each}M`, "--static")),
    ...count(20).map((each) => write(scene, "vcpupin", "web1", `${each}`, "0", "--static")),
    ...count(5).map((each) => write(scene, "vcpupin", "web1", "30", each % 2 === 0 ? "0" : "all", "--static")),
  ]);
  await Promise.all(editors);

  expect(writers.filter(({ code }) => code !== 0)).toEqual([]);
  const text = await scene.text();
  const { memory, vcpus } = parseLaunchConfig(text, "web1.json");
  const before = configOf();
  const paths = [
    history(writers, "static", "memory", before.memory.current),
    history(writers, "static", "vcpus", 2),
    history(writers, "static", "max-memory", before.memory.max),
  ];
  expect(paths.map((path) => path.length - 1)).toEqual([10, 10, 5]);
  expect(paths.map((path) => path.at(-1))).toEqual([memory.current, vcpus.current, memory.max]);
  expect(history(writers, "static", "vcpu-pin 30", "all").at(-1)).toBe(vcpus.pin["30"] ?? "all");
  for (const vcpu of count(20)) expect(vcpus.pin[String(vcpu)], `the pin of vCPU ${vcpu}`).toBe("0");
  const keys = Object.keys(JSON.parse(text) as object);
  for (const each of count(5)) expect(keys).toContain(`edited${each}`);
  expect(await scene.files()).toEqual(["web1.json"]);
}, 60_000);

test("a lock that is not free in time: every one of 8 that waited is refused, and says for whom", async () => {
  const scene = await definedDomain();
  await openBooks(scene.books);
  const before = await scene.text();
  await using _lock = await acquireLock(scene.books.lock, { holder: "qmpctl restart web1" });
  const writers = await Promise.all(count(8).map((each) => write(scene, "setmem", "web1", `${100 + each}M`, "--timeout=2s")));
  for (const { code, stderr, report } of writers) {
    expect([code, report]).toEqual([3, null]);
    expect(HELD_BY.exec(stderr)?.slice(1)).toEqual([String(process.pid), "qmpctl restart web1"]);
  }
  expect(await scene.text()).toBe(before);
}, 30_000);

test("16 processes at once that have time for some: those that say 0 are in the result, the others say which of the 16 they waited for", async () => {
  const scene = await runningDomain();
  // A guest that takes its time makes each writer hold the lock for a while.
  scene.qemu.after("balloon", () => new Promise((resolve) => setTimeout(resolve, 300)));
  const writers = await Promise.all(
    count(16).map((each) =>
      write(scene, "setmem", "web1", `${1100 + each}M`, "--live", "--static", ...(each < 6 ? [] : ["--timeout=2500ms"])),
    ),
  );
  const [done, refused] = [writers.filter(({ code }) => code === 0), writers.filter(({ code }) => code === 3)];
  expect([done.length + refused.length, done.length >= 6]).toEqual([16, true]);
  const pids = new Map(writers.map(({ pid, argv }) => [String(pid), argv]));
  for (const { stderr } of refused) {
    const [, pid = "", command] = HELD_BY.exec(stderr) ?? [];
    expect(pids.has(pid), stderr).toBe(true);
    expect(command).toContain((pids.get(pid) ?? []).join(" "));
  }
  const { memory } = parseLaunchConfig(await scene.text(), "web1.json");
  for (const half of ["static", "dynamic"] as const) {
    const path = history(writers, half, "memory", 1024 * MIB);
    expect([path.length - 1, path.at(-1)]).toEqual([done.length, memory.current]);
  }
  expect(scene.qemu.actual).toBe(memory.current);
}, 60_000);

test("15 processes at once on a running domain, memory, vCPUs and pins on both halves: both halves are equal, and as the last ones said", async () => {
  const scene = await runningDomain();
  const writers = await Promise.all([
    ...count(5).map((each) => write(scene, "setmem", "web1", `${1100 + each}M`, "--live", "--static")),
    ...count(5).map((each) => write(scene, "setvcpus", "web1", `${2 + (each % 3)}`, "--live", "--static")),
    ...count(5).map((each) => write(scene, "vcpupin", "web1", `${each % 2}`, each < 3 ? "0" : "all", "--live", "--static")),
  ]);
  expect(writers.filter(({ code }) => code !== 0)).toEqual([]);
  const { memory, vcpus } = parseLaunchConfig(await scene.text(), "web1.json");
  expect([scene.qemu.actual, scene.qemu.plugged.size]).toEqual([memory.current, vcpus.current]);
  expect(history(writers, "static", "memory", 1024 * MIB).at(-1)).toBe(memory.current);
  expect(history(writers, "dynamic", "vcpus", 2).at(-1)).toBe(vcpus.current);
}, 60_000);

test("an editor that saves in the middle of a change keeps what it saved: the change is taken back and says so", async () => {
  const scene = await runningDomain();
  const path = scene.place.config?.path ?? "";
  let turn = 0;
  scene.qemu.after("balloon", async () => {
    if (scene.qemu.actual !== 1024 * MIB) await edit(path, `saved${turn++}`);
  });
  const writers = await Promise.all(count(5).map((each) => write(scene, "setmem", "web1", `${1100 + each}M`, "--live", "--static")));
  expect(writers.map(({ code, report }) => [code, report?.outcome])).toEqual(count(5).map(() => [1, "rolled-back"]));
  for (const { stderr } of writers)
    expect(stderr).toMatch(/^qmpctl: web1: .*somebody else changed it since it was read; everything is as it was\n$/);
  expect(
    Object.keys(JSON.parse(await scene.text()) as object)
      .slice(0, 5)
      .sort(),
  ).toEqual(count(5).map((each) => `saved${each}`));
  expect([scene.qemu.actual, parseLaunchConfig(await scene.text(), "x").memory.current]).toEqual([1024 * MIB, 1024 * MIB]);
  expect((await readdir(dirname(path))).filter((name) => name !== basename(join(path)))).toEqual([]);
}, 60_000);
