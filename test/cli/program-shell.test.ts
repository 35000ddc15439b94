import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReplay } from "../../src/testing/index.ts";
import { program, WHO } from "./program.ts";
import { type Pty, startInTerminal } from "./pty.ts";
import { recorded } from "./shell/schemas.ts";

const schema = await recorded("7.2.22");
const answers = {
  ...WHO,
  "query-qmp-schema": () => schema,
  "query-chardev": () => [{ label: "serial0", filename: "x", "frontend-open": true }],
  "chardev-remove": (args: unknown) => args,
};

async function inTerminal(argv: readonly string[]): Promise<Pty & { readonly home: string }> {
  const home = await mkdtemp(join(tmpdir(), "qmpctl-"));
  const pty = startInTerminal(argv, { HOME: home });
  return {
    ...pty,
    home,
    async [Symbol.asyncDispose]() {
      await pty[Symbol.asyncDispose]();
      await rm(home, { recursive: true });
    },
  };
}

/** Runs the built program with this on its stdin. */
async function piped(
  argv: readonly string[],
  text: string,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [program, ...argv], { env: { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1" } });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (said.stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (said.stderr += chunk));
  child.stdin.end(text);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...said };
}

test("a shell in a real terminal: completion, typing, an event above the line, ^C, ^D", async () => {
  await using server = await startReplay({ answers });
  await using pty = await inTerminal(["qmp", server.address]);
  await pty.says("qmp> ");
  pty.type("chardev-rem\t");
  await pty.says("chardev-remove ");
  pty.type("\t");
  await pty.says("id=");
  pty.type("ser\t");
  await pty.says("serial0 ");
  server.emit("WAKEUP");
  expect(await pty.says("qmp> chardev-remove id=serial0 ")).toMatch(/\d\d:\d\d:\d\d\.\d{3} {2}WAKEUP\n/);
  pty.type("\r");
  expect(await pty.says(/\}\n ?qmp> $/)).toContain('{\n  "id": "serial0"\n}\n');
  pty.type("half a line\u0003");
  await pty.says(/\^C\nqmp> $/);
  pty.type("\u0004");
  expect(await pty.ended).toBe(0);
  const history = join(pty.home, ".local", "state", "qmpctl", "history");
  expect(await readFile(history, "utf8")).toBe("chardev-remove id=serial0\n");
  expect((await stat(history)).mode & 0o777).toBe(0o600);
});

test("the end of QEMU ends the shell with 1, and says so", async () => {
  await using server = await startReplay({ answers });
  await using pty = await inTerminal(["qmp", server.address]);
  await pty.says("qmp> ");
  await server.exit();
  await pty.says(/qmpctl: .*closed/);
  expect(await pty.ended).toBe(1);
});

test("a script from a pipe: results, 0; the first error ends it, 1; a line that is none, 2", async () => {
  await using server = await startReplay({ answers: { ...answers, device_del: () => ({}) } });
  expect(await piped(["qmp", server.address], "# who\nquery-name\nchardev-remove id=7")).toEqual({
    code: 0,
    stdout: '{"name":"guest"}\n{"id":"7"}\n',
    stderr: "",
  });
  expect(await piped(["qmp", server.address], 'query-name\n"\n')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("line 2") as string,
  });
});

test("a whole request may stand on the command line, as for virsh", async () => {
  await using server = await startReplay({ answers });
  expect(await piped(["qmp", server.address, '{"execute": "query-name",', '"id": 7}'], "")).toEqual({
    code: 0,
    stdout: '{"name":"guest"}\n',
    stderr: "",
  });
  expect(await piped(["qmp", "unix:/nonexistent/qmp.sock", '{"arguments": {}}'], "")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining('a request needs "execute"') as string,
  });
});

test("a domain whose monitor nobody serves is told as ever", async () => {
  expect(await piped(["qmp", "unix:/nonexistent/qmp.sock"], "query-name\n")).toMatchObject({ code: 1, stdout: "" });
});
