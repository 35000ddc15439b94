import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startReplay } from "../../src/testing/index.ts";
import { AT_REST, foldersNowhere, program } from "./program.ts";

/** Writes down what a process has loaded when it ends: Node's own modules, and files of ours. */
const WITNESS = `
  const fs = require("node:fs");
  const read = fs.readFileSync;
  const files = new Set();
  fs.readFileSync = (path, ...rest) => { if (typeof path === "string" && path.endsWith(".js")) files.add(path); return read(path, ...rest); };
  const before = new Set(process.moduleLoadList);
  process.once("exit", () => {
    const modules = process.moduleLoadList.filter((each) => each.startsWith("NativeModule ") && !before.has(each)).map((each) => each.slice("NativeModule ".length));
    fs.writeFileSync(process.env.WITNESS, JSON.stringify({ modules, files: [...files] }));
  });
`;

const CONFIG = JSON.stringify({
  name: "web1",
  emulator: "qemu-system-x86_64",
  memory: { max: "1GiB", current: "1GiB" },
  vcpus: { max: 4, current: 2 },
  args: ["-machine", "q35", "-device", "virtio-balloon-pci,id=balloon0"],
});

interface Loaded {
  readonly modules: readonly string[];
  readonly files: readonly string[];
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "qmpctl-"));
  writeFileSync(join(folder, "witness.cjs"), WITNESS);
  mkdirSync(join(folder, "config"));
  writeFileSync(join(folder, "config", "web1.json"), CONFIG);
});
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Runs the built program with its output into files, and tells what it has loaded. What Node calls a pipe is a socket, which needs a
 * stream.
 */
async function loadedBy(words: readonly string[], code = 0, env: Readonly<Record<string, string>> = {}): Promise<Loaded> {
  const [witness, outputs] = [join(folder, "loaded.json"), [1, 2].map((fd) => openSync(join(folder, `output${fd}`), "w"))];
  const child = spawn(process.execPath, ["--require", join(folder, "witness.cjs"), program, ...words], {
    env: { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1", ...foldersNowhere(), ...env, WITNESS: witness },
    stdio: ["ignore", ...outputs],
  });
  const [status] = (await once(child, "close")) as [number | null];
  for (const output of outputs) closeSync(output);
  expect(status, readFileSync(join(folder, "output2"), "utf8")).toBe(code);
  const { modules, files } = JSON.parse(readFileSync(witness, "utf8")) as Loaded;
  const ours = files.filter((path) => dirname(path) === dirname(program)).map((path) => basename(path));
  return { modules, files: ours.filter((name) => name !== "main.js") };
}

/** What is loaded by itself takes longer than the rest of a verb, or is a sign that a file is read through Node's threads. */
const HEAVY: readonly string[] = [
  "crypto",
  "fs/promises",
  "os",
  "module",
  "timers/promises",
  "readline",
  "url",
  "tls",
  "dns",
  "zlib",
  "http",
];
const TO_RUN_PROGRAMS = "child_process";
const TO_TALK: readonly string[] = ["net", "stream"];

function among(modules: readonly string[], names: readonly string[]): readonly string[] {
  return names.filter((name) => modules.includes(name));
}

test.each<[string, readonly string[], number, readonly string[]]>([
  ["--version", ["--version"], 0, []],
  ["a usage mistake", ["setmem", "web1"], 2, ["failure.js"]],
  ["completion", ["__complete", "se"], 0, ["completion.js"]],
])("%s loads what it needs of ours, and nothing of Node that takes its time", async (_what, words, code, more) => {
  const { modules, files } = await loadedBy(words, code);
  expect(files).toEqual(["program.js", ...more]);
  expect(among(modules, [...HEAVY, TO_RUN_PROGRAMS, ...TO_TALK, "perf_hooks"])).toEqual([]);
});

test.each(["info", "vcpuinfo"])("%s loads what looks at a machine, and no more of Node than a conversation needs", async (verb) => {
  await using server = await startReplay({ answers: AT_REST });
  const { modules, files } = await loadedBy([verb, server.address]);
  expect(files).toEqual(["program.js", "machine.js"]);
  expect(modules).toContain("net");
  // To name the lock of a machine that has no mark takes a digest. If the greeting is late, as on a loaded host, the verb looks who holds
  // the
  // monitor, and waits: that takes more of Node, and shows by its timers.
  const waited = modules.includes("timers/promises") ? ["timers/promises", "fs/promises"] : [];
  expect(among(modules, [...HEAVY.filter((name) => !["crypto", ...waited].includes(name)), TO_RUN_PROGRAMS])).toEqual([]);
});

test.each([
  ["setmem", "1GiB"],
  ["setvcpus", "2"],
  ["vcpupin", "0", "all"],
])("%s loads its own resource, and not the layer of the others", async (verb, ...values) => {
  const env = { QMPCTL_CONFIG_DIR: join(folder, "config"), QMPCTL_STATE_DIR: join(folder, "state") };
  const { files } = await loadedBy([verb, "web1", ...values, "--static"], 0, env);
  expect([...files].sort()).toEqual(["change.js", "machine.js", "program.js"]);
});

test("the layers are not much larger than they have to be", () => {
  for (const [name, most] of [
    ["main.js", 8],
    // With what a conversation takes, here or with another host.
    ["program.js", 105],
    ["machine.js", 270],
    ["change.js", 232],
  ] as const) {
    expect(statSync(join(dirname(program), name)).size, name).toBeLessThan(most * 1024);
  }
});

test("an import of the package loads a few small files, and nothing of Node that takes its time", () => {
  const index = join(dirname(program), "../index.js");
  const script = `import ${JSON.stringify(index)}; process.stdout.write(JSON.stringify(process.moduleLoadList));`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  const modules = (JSON.parse(ended.stdout) as string[]).map((each) => each.replace("NativeModule ", ""));
  expect(modules).toContain("net");
  expect(among(modules, [TO_RUN_PROGRAMS, "crypto", "tls", "dns", "zlib", "http", "readline"])).toEqual([]);
  // Each file takes its time, and what it has to be compiled: no code is kept of a package.
  const files = [...loadedWith(index)];
  expect(files.length).toBeLessThanOrEqual(10);
  expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(130 * 1024);
});

/** The files of a package that are loaded with this one, and itself. */
function loadedWith(file: string, found: Set<string> = new Set()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, to = ""] of readFileSync(file, "utf8").matchAll(/\b(?:from|import) ?"(\.[^"]+)"/g))
    loadedWith(join(dirname(file), to), found);
  return found;
}

test("an empty process loads none of what is forbidden here, so what is found is ours", () => {
  const ended = spawnSync(process.execPath, ["-p", "JSON.stringify(process.moduleLoadList)"], {
    env: { ...foldersNowhere() },
    encoding: "utf8",
  });
  expect(
    among(
      (JSON.parse(ended.stdout) as string[]).map((each) => each.replace("NativeModule ", "")),
      ["fs/promises", "child_process", "readline"],
    ),
  ).toEqual([]);
});

test("with --enable-source-maps, a stack shows what was written", async () => {
  const breaking = join(folder, "breaking.cjs");
  writeFileSync(breaking, 'Array.prototype.slice = () => { throw new Error("on purpose"); };');
  const { stderr } = spawnSync(process.execPath, ["--enable-source-maps", "--require", breaking, program, "info", "x"], {
    env: { ...foldersNowhere() },
    encoding: "utf8",
  });
  expect(stderr).toContain("on purpose");
  expect(stderr).toMatch(/src\/cli\/main\.ts:\d+/);
});
