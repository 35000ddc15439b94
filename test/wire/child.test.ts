import { expect, test } from "vitest";
import { HostError } from "../../src/errors.ts";
import { connect } from "../../src/qmp/session.ts";
import { spawnQemu } from "../../src/qmp/spawn.ts";
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

test("a program that is none, or fails at once", async () => {
  expect(await rejection(connect("exec:/nonexistent/ssh host"))).toBeInstanceOf(ConnectError);
  const failing = { kind: "exec", command: [process.execPath, "-e", "console.error('Permission denied (publickey)'); process.exitCode = 255"] } as const;
  const error = await rejection(connect(failing));
  expect(error).toMatchObject({ code: "greeting" });
  expect(error.message).toMatch(/ended with 255: Permission denied \(publickey\)$/);
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
  expect(await emulator.session.execute("words")).toEqual(["-name", "x", "-chardev", "socket,id=qmpctl,fd=3", "-mon", "chardev=qmpctl,mode=control"]);
  await emulator[Symbol.asyncDispose]();
  expect((await emulator.exited).signal).toBe("SIGTERM");
});

test("an emulator that does not start says why, in its own words", async () => {
  const error = await rejection(spawnQemu(process.execPath, ["-e", "console.error('qemu: no such machine'); process.exitCode = 1", "--"]));
  expect(error).toMatchObject({ code: "greeting", message: `${process.execPath}: it did not start: qemu: no such machine` });
});
