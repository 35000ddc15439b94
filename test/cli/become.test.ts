import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { configOf, textOf } from "../../scripts/lab/facts.ts";
import { program } from "./program.ts";

/** The user `nobody` of every Linux. */
const OTHER = 65534;
/** What a Node does that is linked with the system's libuv. */
const DENYING =
  "process.initgroups = () => { throw Object.assign(new Error('initgroups() disabled: io_uring may be enabled'), { code: 'ERR_INVALID_STATE' }); };";

describe.skipIf(process.geteuid?.() !== 0)("root works on another user's machine as that user", () => {
  test.each([
    ["by a Node that lets root become another user", ""],
    ["by a Node that does not: the program begins again, with all that it was told", DENYING],
  ])("%s", async (_what, preload) => {
    const folder = await mkdtemp(join(tmpdir(), "qmpctl-become-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const own = join(folder, "own");
    await mkdir(own, { mode: 0o700 });
    const [config, before] = [join(own, "web1.json"), join(folder, "before.cjs")];
    await writeFile(config, textOf(configOf()), { mode: 0o600 });
    await writeFile(before, preload);
    for (const each of [folder, own, config]) await chown(each, OTHER, OTHER);
    const env = {
      PATH: process.env["PATH"],
      NODE_DISABLE_COMPILE_CACHE: "1",
      QMPCTL_STATE_DIR: join(own, "state"),
      QMPCTL_RUNTIME_DIR: join(own, "run"),
      SUDO_USER: "alice",
    };
    const child = spawn(process.execPath, ["--require", before, program, "apply", config, "-", "--static"], { env });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdin.end('{"vcpus": {"current": 3}}');
    expect(await once(child, "close"), said).toEqual([0, null]);
    expect(said).toContain("2 -> 3");
    expect(JSON.parse(await readFile(config, "utf8"))).toMatchObject({ vcpus: { current: 3 } });
    // A command of root's that says "web1" would mean one of root's own.
    const ended = spawn(process.execPath, ["--require", before, program, "suspend", config], { env: { ...env, QMPCTL_CONFIG_DIR: own } });
    let why = "";
    ended.stderr.setEncoding("utf8").on("data", (text: string) => (why += text));
    expect([await once(ended, "close"), why]).toEqual([
      [3, null],
      `qmpctl: ${config}: it does not run; qmpctl start ${config} starts it\n`,
    ]);
    const [books = ""] = await readdir(join(own, "state"));
    const [line = ""] = (await readFile(join(own, "state", books, "history"), "utf8")).split("\n");
    expect(JSON.parse(line)).toMatchObject({
      who: { uid: OTHER, isRoot: true, sudo: "alice", program: ["qmpctl", "apply", config, "-", "--static"] },
    });
    // Written as its owner, and no file of root's is among his.
    for (const each of [config, join(own, "state")]) expect((await stat(each)).uid).toBe(OTHER);
  });
});
