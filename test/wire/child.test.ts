import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HostError } from "../../src/errors.ts";
import { connect } from "../../src/qmp/session.ts";
import { spawnQemu } from "../../src/qmp/spawn.ts";
import { endChildren, killChildren } from "../../src/wire/children.ts";
import { ConnectError } from "../../src/wire/errors.ts";
import { GREETING, rejection } from "../qmp/peer.ts";

/** A program that is a monitor on the descriptors it is told, and answers each command with its arguments. */
const MONITOR = `
const { createReadStream, createWriteStream } = require("node:fs");
const { Socket } = require("node:net");
const [, where, ...words] = process.argv;
const line = where === "3" ? new Socket({ fd: 3 }) : undefined;
const input = line ?? process.stdin, output = line ?? process.stdout;
output.write(${JSON.stringify(JSON.stringify(GREETING))} + "\\r\\n");
require("node:readline").createInterface({ input }).on("line", (text) => {
  const request = JSON.parse(text);
  if (request.execute === "die") { process.stderr.write("last words\\n"); process.exit(3); }
  output.write(JSON.stringify({ return: request.execute === "words" ? words : {}, id: request.id }) + "\\r\\n");
  if (request.execute === "leave") input.destroy();
});
`;
const command = (where: string, ...words: string[]): string[] => [process.execPath, "-e", MONITOR, where, ...words];

test("a program's stdin and stdout are a way to a monitor; its words are no shell's", async () => {
  await using session = await connect({ kind: "exec", command: command("0", "a b", "$HOME", "'") });
  expect(await session.execute("words")).toEqual(["a b", "$HOME", "'"]);
});

test("a program that fails says how, and what it wrote to its stderr", async () => {
  await using session = await connect({ kind: "exec", command: command("0") });
  const error = await rejection(session.execute("die"));
  expect(error.code).toBe("closed");
  expect(error.message).toMatch(/ended with 3: last words$/);
  expect(error.cause.cause).toBeInstanceOf(HostError);
});

/** A folder with a file that can't be run, gone after. */
async function withPlainFile(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const path = join(folder, "ssh");
  await writeFile(path, "#!/bin/sh\n", { mode: 0o644 });
  await use(path).finally(() => rm(folder, { recursive: true }));
}

test("a program that is missing or can't be run is reported as a program, not as a socket", async () => {
  const missing = await rejection(connect("exec:/nonexistent/ssh host"));
  expect(missing).toBeInstanceOf(ConnectError);
  expect(missing).toMatchObject({
    code: "connect",
    errno: "ENOENT",
    message: "exec:/nonexistent/ssh host: no such program: /nonexistent/ssh (ENOENT)",
  });
  expect((await rejection(connect("exec:qmpctl-no-such-program x"))).message).toBe(
    "exec:qmpctl-no-such-program x: no such program: qmpctl-no-such-program (ENOENT)",
  );
  expect((await rejection(spawnQemu("/nonexistent/qemu", []))).message).toBe(
    "child:/nonexistent/qemu: no such program: /nonexistent/qemu (ENOENT)",
  );
  await withPlainFile(async (path) => {
    expect((await rejection(connect(`exec:${path} host`))).message).toBe(
      `exec:${path} host: not a program that may be run here: ${path} (EACCES)`,
    );
    expect((await rejection(connect(`exec:${path}/deeper`))).message).toBe(
      `exec:${path}/deeper: no such program: ${path}/deeper (ENOTDIR)`,
    );
    expect(await rejection(connect({ kind: "exec", command: [path, "a\0b"] }))).toMatchObject({
      code: "connect",
      message: expect.stringContaining("null bytes"),
    });
  });
});

test.each([
  [
    "console.error('Permission denied (publickey)'); process.exitCode = 255",
    /: \S*node: ended with 255 before it said anything: Permission denied \(publickey\)$/,
  ],
  [
    "console.error('Warning: a banner\\nof\\nmany lines\\nssh: connect to host x port 22: Connection refused\\r'); process.exitCode = 255",
    /: of; many lines; ssh: connect to host x port 22: Connection refused$/,
  ],
  ["console.error('nothing to do'); process.exitCode = 0", /: \S*node: ended with 0 before it said anything: nothing to do$/],
  ["process.kill(process.pid, 'SIGKILL')", /: \S*node: was ended by SIGKILL before it said anything$/],
])("a program that ends at once says how, and its last words, in one line: %s", async (program, message) => {
  const error = await rejection(connect({ kind: "exec", command: [process.execPath, "-e", program] }));
  expect(error).toMatchObject({ code: "greeting" });
  expect(error.message).toMatch(message);
  expect(error.cause).toBeInstanceOf(HostError);
});

test("a program that ends in the middle of a message says how much of it came", async () => {
  const half = `process.stdout.write(${JSON.stringify(`${JSON.stringify(GREETING)}\r\n{"event"`)})`;
  const error = await rejection(connect({ kind: "exec", command: [process.execPath, "-e", half] }));
  expect(error.message).toMatch(/: closed in the middle of a message, after 8 bytes of it$/);
});

test("an emulator gets the descriptors that are named for it, and they stay ours", async () => {
  const file = await open(process.execPath);
  const size = `const { fstatSync } = require("node:fs"); const { Socket } = require("node:net"); const line = new Socket({ fd: 3 });
    line.write(${JSON.stringify(JSON.stringify(GREETING))} + "\\r\\n");
    require("node:readline").createInterface({ input: line }).on("line", (text) => line.write(JSON.stringify({ return: fstatSync(4).size, id: JSON.parse(text).id }) + "\\r\\n"));`;
  await using emulator = await spawnQemu(process.execPath, ["-e", size, "--"], { descriptors: [file.fd] });
  expect(await emulator.session.execute("x-size")).toBe((await file.stat()).size);
  await file.close();
});

test("a program that closes its stdout and stays is no monitor any more", async () => {
  const mute = `process.stdout.end(${JSON.stringify(JSON.stringify({ QMP: 1 }).slice(0, 3))}); process.stdout.once("finish", () => require("node:fs").closeSync(1)); process.stdin.resume(); setInterval(() => {}, 1000);`;
  const error = await rejection(connect({ kind: "exec", command: [process.execPath, "-e", mute] }, { timeout: 60_000 }));
  expect(error).toMatchObject({ code: "greeting" });
});

test("closing the session ends the program", async () => {
  const session = await connect({ kind: "exec", command: command("0") });
  await session.close();
  expect(await session.closed).toEqual({ by: "us" });
});

test("an emulator that we start is spoken to over a socket pair, and ends with us", async () => {
  const [program = "", ...words] = command("3", "-name", "x");
  const emulator = await spawnQemu(program, words);
  expect(await emulator.session.execute("words")).toEqual(["-name", "x", "-chardev", "socket,id=qmpctl,fd=3", "-qmp", "chardev:qmpctl"]);
  await emulator[Symbol.asyncDispose]();
  expect((await emulator.exited).signal).toBe("SIGTERM");
});

test("an emulator that does start, and greets in another way, is not said to have failed by what it warned of", async () => {
  const warns = `console.error("warning: old-fashioned"); new (require("node:net").Socket)({ fd: 3 }).write("hello");`;
  expect((await rejection(spawnQemu(process.execPath, ["-e", warns, "--"]))).message).toContain('this is not QMP: "hello"');
});

test("an emulator that does not start says why, in its own words", async () => {
  const error = await rejection(spawnQemu(process.execPath, ["-e", "console.error('qemu: no such machine'); process.exitCode = 1", "--"]));
  expect(error).toMatchObject({ code: "greeting", message: `${process.execPath}: it did not start: qemu: no such machine` });
});

/** A program that takes no notice of being asked to end, nor of the end of its input; it writes its pid to a file. */
const STUBBORN = `
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(name, () => {});
const [, pidfile, how] = process.argv;
require("node:fs").writeFileSync(pidfile, String(process.pid));
if (how === "greets") process.stdout.write(${JSON.stringify(`${JSON.stringify(GREETING)}\r\n`)});
if (how === "garbage") process.stdout.write("SSH-2.0-OpenSSH_9.2\\r\\n");
require("node:readline").createInterface({ input: process.stdin }).on("line", (text) => process.stdout.write(JSON.stringify({ return: {}, id: JSON.parse(text).id }) + "\\r\\n"));
setInterval(() => {}, 1000);
`;

interface Stubborn extends AsyncDisposable {
  readonly command: (how: string) => string[];
  /** Resolves when the program runs. */
  runs(): Promise<number>;
  /** Its id; 0 as long as it has not said it. */
  pid(): number;
  /** Whether there is no such process any more; one that nobody waited for has ended too. */
  gone(): boolean;
}

async function stubborn(): Promise<Stubborn> {
  const folder = await mkdtemp(join(tmpdir(), "qmp-"));
  const pidfile = join(folder, "pid");
  const pid = (): number => (existsSync(pidfile) ? Number(readFileSync(pidfile, "utf8")) : 0);
  const gone = (): boolean =>
    pid() > 0 && !/^State:\s+[^Z]/m.test(existsSync(`/proc/${pid()}/status`) ? readFileSync(`/proc/${pid()}/status`, "utf8") : "");
  return {
    command: (how) => [process.execPath, "-e", STUBBORN, pidfile, how],
    runs: async () => {
      while (pid() === 0) await new Promise((resolve) => setTimeout(resolve, 10).unref());
      return pid();
    },
    pid,
    gone,
    async [Symbol.asyncDispose]() {
      if (pid() > 0 && !gone()) process.kill(pid(), "SIGKILL");
      await rm(folder, { recursive: true });
    },
  };
}

test("a program that won't end is killed, and close() resolves after that, so that a caller who waits leaves nothing behind", async () => {
  await using program = await stubborn();
  const session = await connect({ kind: "exec", command: program.command("greets") }, { timeout: 20_000 });
  await session.execute("anything");
  expect(program.gone()).toBe(false);
  await session.close();
  expect(program.gone()).toBe(true);
});

test.each(["mute", "garbage"])("it is ended too when connecting fails: %s", async (how) => {
  await using program = await stubborn();
  const failure = rejection(connect({ kind: "exec", command: program.command(how) }, { timeout: how === "mute" ? 1000 : 20_000 }));
  // Where the machine is busy, the time for the greeting is over before it could say who it is.
  await Promise.race([program.runs(), failure]);
  expect(await failure).toMatchObject({ code: "greeting" });
  await endChildren();
  expect(program.gone() || (how === "mute" && program.pid() === 0)).toBe(true);
});

test("it is ended too when connecting is given up, in any moment", async () => {
  for (const moment of ["at once", "later"]) {
    await using program = await stubborn();
    const abort = new AbortController();
    const failure = rejection(connect({ kind: "exec", command: program.command("mute") }, { signal: abort.signal }));
    if (moment === "later") await program.runs();
    abort.abort(new Error("enough"));
    expect((await failure).message).toBe("enough");
    await endChildren();
    // One that was given up at once was ended before it could say who it is.
    if (moment === "later") expect(program.gone()).toBe(true);
  }
});

test("a process that won't wait ends its programs at once", async () => {
  await using program = await stubborn();
  const session = await connect({ kind: "exec", command: program.command("greets") }, { timeout: 20_000 });
  killChildren();
  expect((await session.closed).by).toBe("peer");
  expect(program.gone()).toBe(true);
});

test("an emulator that won't end is gone when it is said not to have started", async () => {
  await using program = await stubborn();
  const [emulator = "", ...words] = program.command("mute");
  const failure = rejection(spawnQemu(emulator, [...words, "--"], { timeout: 1000 }));
  // On a busy machine the time for the greeting is over before it could say who it is.
  await Promise.race([program.runs(), failure]);
  expect(await failure).toMatchObject({ code: "greeting" });
  expect(program.gone() || program.pid() === 0).toBe(true);
});

test("a program's helper that goes on, and holds its pipes open, does not hold up the end", async () => {
  // As ssh leaves one for later connections. It ends by itself.
  const helper = `require("node:child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 5000)"], { stdio: "inherit", detached: true }).unref();`;
  const [program = "", dashE = "", text = "", ...words] = command("0");
  const session = await connect({ kind: "exec", command: [program, dashE, helper + text, ...words] });
  const begun = performance.now();
  await session.close();
  expect(performance.now() - begun).toBeLessThan(3000);
});
