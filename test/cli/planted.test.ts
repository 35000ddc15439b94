import { execFileSync } from "node:child_process";
import { chmod, chown, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { toCommandLine } from "../../src/config/argv.ts";
import { locate } from "../../src/config/locate.ts";
import { openFolder, runtimePaths, statePaths, type StatePaths } from "../../src/config/runtime.ts";
import { readConfig } from "../../src/config/store.ts";
import { machineIdOf } from "../../src/domain/machine/machine-id.ts";
import { configText } from "../config/fixtures.ts";
import { runStandIn } from "../host/processes.ts";
import { envOf, openShop, type Shop } from "./attempts.ts";
import { type Ended, runProgram } from "./program.ts";

const isRoot = userInfo().uid === 0;
/** What a shell would make commands of, QEMU further options, and a careless writer of paths another file. */
const NASTY = `$(touch x) \`touch x\`;touch x|touch x&touch x>x'"\\,server=off,,${"$"}{IFS}*?~#!`;
/** Says how it was called, each word ended by a NUL. */
const STUB = '#!/bin/sh\nfor word in "$@"; do printf \'%s\\0\' "$word"; done > "$0.argv"\nexit 1\n';

function run(shop: Parameters<typeof envOf>[0], ...argv: readonly string[]): Promise<Ended> {
  return runProgram(argv, envOf(shop));
}

/** Who the machine of a shop is, and where its lock and records are. */
async function booksOf(shop: Shop): Promise<StatePaths> {
  const place = await locate("web1", shop);
  return statePaths(shop, await machineIdOf(await readConfig(place)));
}

async function withStub(folder: string, name = "emulator"): Promise<string> {
  const emulator = join(folder, name);
  await writeFile(emulator, STUB, { mode: 0o700 });
  return emulator;
}

test("nothing in a config reaches a shell, or makes more words of the command line than there are", async () => {
  await using shop = await openShop();
  const runtime = join(shop.folder, "r,server=off;$(touch x)");
  await mkdir(runtime, { mode: 0o700 });
  const folder = join(shop.folder, NASTY.replaceAll("/", "").slice(0, 60));
  await mkdir(folder);
  const emulator = await withStub(folder, "a b;$(touch x)'\"");
  const monitor = join(shop.folder, "m,x=off;$(touch x)");
  const args = ["-append", NASTY, `-x\n-m\n9G`, "", " ", "-device", `a,b=${NASTY}`, NASTY];
  await writeFile(shop.path, configText({ emulator, monitor, args, note: NASTY }));
  // The bare words are disk images, which have to be there.
  for (const disk of [" ", NASTY]) await writeFile(join(shop.config, disk), "");

  expect((await run({ ...shop, runtime }, "start", "web1")).stderr).toMatch(
    /^qmpctl: web1: .* could not start the machine: it ended with status 1\n$/,
  );
  const own = join(runtime, "web1");
  const doubled = (path: string): string => `unix:${path.replaceAll(",", ",,")},server=on,wait=off`;
  expect((await readFile(`${emulator}.argv`, "utf8")).split("\0").slice(0, -1)).toEqual([
    ...["-name", "guest=web1,debug-threads=on", "-m", "size=1024M", "-smp", "cpus=1,maxcpus=2"],
    ...["-qmp", doubled(`${own}/control.sock`), "-qmp", doubled(`${own}/watch.sock`), "-qmp", doubled(monitor)],
    ...["-pidfile", `${own}/pid`, "-object", `authz-simple,id=qmpctl-${(await booksOf(shop)).key},identity=${shop.path}`],
    ...["-trace", "qemu_system_shutdown_request", "-display", "none", "-S", ...args],
  ]);
  expect((await readdir(shop.folder, { recursive: true })).filter((name) => /(^|\/)x$/.test(name))).toEqual([]);
  expect((await run({ ...shop, runtime }, "setvcpus", "web1", "2")).code).toBe(0);
  expect(await readFile(shop.path, "utf8")).toBe(
    configText({ emulator, monitor, args, note: NASTY }).replace('"current": 1', '"current": 2'),
  );
});

/** What somebody else could have put into a folder of ours, each with what it would lead us to. */
const PLANTS: Readonly<Record<string, (path: string, victim: string) => unknown>> = {
  "a link": (path, victim) => symlink(victim, path),
  "a FIFO": (path) => execFileSync("mkfifo", [path]),
  "a folder": (path) => mkdir(path),
  ...(isRoot
    ? {
        "a file of somebody else": async (path: string) => {
          await writeFile(path, "{}");
          await chown(path, 1234, 1234);
        },
      }
    : {}),
};

async function plantedShop(
  folderOf: (shop: Shop) => Promise<string>,
  name: string,
  plant: (path: string, victim: string) => unknown,
): Promise<Shop & AsyncDisposable & { readonly victim: string; readonly path: string; readonly planted: string }> {
  const shop = await openShop();
  const victim = join(shop.folder, "victim");
  await writeFile(victim, "precious", { mode: 0o600 });
  const folder = await folderOf(shop);
  await openFolder(folder);
  const planted = join(folder, name);
  await plant(planted, victim);
  return { ...shop, victim, planted };
}

const ofState = async (shop: Shop): Promise<string> => (await booksOf(shop)).folder;
const ofRuntime = async ({ runtime }: Shop): Promise<string> => join(runtime, "web1");

test.each(["lock", "journal"].flatMap((name) => Object.keys(PLANTS).map((plant) => [name, plant] as const)))(
  "the file %s of a machine that is %s is refused, and left",
  async (name, plant) => {
    await using shop = await plantedShop(ofState, name, PLANTS[plant] ?? (() => undefined));
    const before = await lstat(shop.planted);
    const { code, stdout, stderr } = await run(shop, "setvcpus", "web1", "2");
    expect([stdout, await readFile(shop.path, "utf8"), await readFile(shop.victim, "utf8")]).toEqual(["", configText(), "precious"]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^qmpctl: [^\n]*(link|not a regular file|EISDIR|a folder|belongs to user 1234|illegal operation)[^\n]*\n$/);
    expect(stderr).toContain(shop.planted);
    expect((await lstat(shop.planted)).ino).toBe(before.ino);
  },
);

test.each(["process", "notes"].flatMap((name) => Object.keys(PLANTS).map((plant) => [name, plant] as const)))(
  "the file %s of a machine that is %s is not believed, and left",
  async (name, plant) => {
    await using shop = await plantedShop(ofState, name, PLANTS[plant] ?? (() => undefined));
    const before = await lstat(shop.planted);
    expect(await run(shop, "info", "web1")).toMatchObject({ code: 0, stdout: expect.stringContaining("stopped") as string });
    expect(await run(shop, "setvcpus", "web1", "2")).toMatchObject({ code: 0, stderr: "" });
    expect([await readFile(shop.victim, "utf8"), (await lstat(shop.planted)).ino]).toEqual(["precious", before.ino]);
  },
);

test.each(["lock", "pid", "journal", "control.sock"].flatMap((name) => Object.keys(PLANTS).map((plant) => [name, plant] as const)))(
  "the file %s in a run-time folder that is %s means nothing to a machine that no process runs",
  async (name, plant) => {
    await using shop = await plantedShop(ofRuntime, name, PLANTS[plant] ?? (() => undefined));
    const before = await lstat(shop.planted);
    expect(await run(shop, "setvcpus", "web1", "2")).toMatchObject({ code: 0, stderr: "" });
    expect([await readFile(shop.victim, "utf8"), (await lstat(shop.planted)).ino]).toEqual(["precious", before.ino]);
  },
);

const OF_A_START = ["output", "pid", "lock", "control.sock", "watch.sock", "stderr", "log", "asked.json"];

test.each(OF_A_START)("a link %s is not followed by a start", async (name) => {
  await using shop = await plantedShop(ofRuntime, name, (path, victim) => symlink(victim, path));
  await writeFile(shop.path, configText({ emulator: await withStub(shop.folder) }));
  // All that a start makes, it makes anew.
  expect((await run(shop, "start", "web1")).code).toBe(1);
  expect(await readFile(shop.victim, "utf8")).toBe("precious");
});

test.each(OF_A_START)("a folder %s stops a start with one line", async (name) => {
  await using shop = await plantedShop(ofRuntime, name, (path) => mkdir(path));
  await writeFile(shop.path, configText({ emulator: await withStub(shop.folder) }));
  expect((await run(shop, "start", "web1")).stderr).toMatch(/^qmpctl: [^\n]*what is there can't be removed[^\n]*\n$/);
});

test("an output of any length is read at its end only", async () => {
  await using shop = await openShop();
  const emulator = join(shop.folder, "emulator");
  await writeFile(emulator, '#!/bin/sh\ntruncate -s 3G /proc/self/fd/1; printf "\\nthe last words\\n"; exit 1\n', { mode: 0o700 });
  await writeFile(shop.path, configText({ emulator }));
  expect((await run(shop, "start", "web1")).stderr).toMatch(/could not start the machine: .*the last words\n$/);
});

/** Something that is taken for QEMU: a process with its words, and the machine's mark. */
async function withMachine(shop: Shop): Promise<string> {
  const folder = join(shop.runtime, "web1");
  await openFolder(folder);
  const place = await locate("web1", shop);
  const { key } = await booksOf(shop);
  const { control, watch, pidfile } = runtimePaths(shop, "web1");
  await runStandIn(toCommandLine((await readConfig(place)).config, { control, watch, pidfile }, { id: key, path: shop.path }));
  return folder;
}

/** Listens there, and counts who comes. */
async function listen(path: string): Promise<{ readonly count: number }> {
  const visits = { count: 0 };
  const server = createServer((socket) => {
    visits.count++;
    socket.destroy();
  }).listen(path);
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return visits;
}

const SOCKETS: readonly (readonly [string, (path: string, elsewhere: string) => Promise<unknown>, RegExp])[] = [
  ["a link to somebody's socket", (path, elsewhere) => symlink(elsewhere, path), /control.sock: not a socket/],
  ["a file", (path) => writeFile(path, ""), /control.sock: not a socket/],
  ...(isRoot
    ? [
        [
          "a socket of somebody else",
          async (path: string, elsewhere: string) => {
            await rename(elsewhere, path);
            await chown(path, 1234, 1234);
          },
          /control.sock: belongs to user 1234/,
        ] as const,
      ]
    : []),
];

test.each(SOCKETS)("%s in the place of a monitor is not connected to", async (_what, plant, why) => {
  await using shop = await openShop();
  const own = await withMachine(shop);
  const elsewhere = join(shop.folder, "elsewhere.sock");
  const visits = await listen(elsewhere);
  await plant(join(own, "control.sock"), elsewhere);
  for (const argv of [
    ["setvcpus", "web1", "2", "--live"],
    ["qmp", "web1", "quit"],
  ]) {
    const { code, stderr } = await run(shop, ...argv);
    expect([code, stderr]).toEqual([3, expect.stringMatching(why) as string]);
  }
  // Its process is known without the monitor, and can be ended.
  expect(await run(shop, "destroy", "web1")).toMatchObject({ code: 0, stdout: "web1: destroyed\n" });
  expect(visits.count).toBe(0);
});

test("the folders of a machine are private, and so is all that is in them; one that others can enter is refused", async () => {
  await using shop = await openShop();
  for (const folder of [shop.runtime, shop.state]) await rm(folder, { recursive: true });
  await writeFile(shop.path, configText({ emulator: await withStub(shop.folder) }));
  await run(shop, "start", "web1");
  await run(shop, "setvcpus", "web1", "2");
  const [own, books] = [join(shop.runtime, "web1"), (await booksOf(shop)).folder];
  expect([await readdir(own), await readdir(books)]).toEqual([["output"], ["history", "lock"]]);
  for (const folder of [own, books]) {
    for (const path of [dirname(folder), folder]) expect((await lstat(path)).mode & 0o777, path).toBe(0o700);
    for (const file of await readdir(folder)) expect((await lstat(join(folder, file))).mode & 0o777, file).toBe(0o600);
  }
  await chmod(own, 0o750);
  expect(await run(shop, "start", "web1")).toMatchObject({ code: 3, stderr: `qmpctl: ${own}: open to others (mode 750), chmod 700 it\n` });
  await chmod(books, 0o750);
  for (const argv of [
    ["setvcpus", "web1", "1"],
    ["start", "web1"],
    ["undefine", "web1"],
  ]) {
    expect(await run(shop, ...argv)).toMatchObject({ code: 3, stderr: `qmpctl: ${books}: open to others (mode 750), chmod 700 it\n` });
  }
  expect([dirname(own), dirname(books)]).toEqual([shop.runtime, shop.state]);
});
