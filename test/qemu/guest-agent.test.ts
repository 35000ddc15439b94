import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { privateFolder } from "../../scripts/lab/machine.ts";
import { connectAgent } from "../../src/qmp/guest-agent.ts";
import { startAgent } from "../../src/testing/index.ts";
import { sayToAgent } from "../testing/agent-words.ts";

/** A real agent, on a socket of its own. */
async function realAgent(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await privateFolder();
  const path = join(folder.path, "agent.sock");
  const real = spawn("qemu-ga", ["-m", "unix-listen", "-p", path, "-t", folder.path], { stdio: "ignore" });
  const ended = once(real, "exit");
  await expect.poll(() => existsSync(path)).toBe(true);
  return {
    path,
    async [Symbol.asyncDispose]() {
      real.kill();
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}

it("the fake guest agent says what qemu-ga says, byte for byte (R45)", async () => {
  await using real = await realAgent();
  await using fake = await startAgent();
  expect(await sayToAgent(fake.address.slice(5))).toEqual(await sayToAgent(real.path));
});

it("each command gets its own answer from qemu-ga, errors too, also after one that was given up (R45)", async () => {
  await using real = await realAgent();
  await using agent = await connectAgent(`unix:${real.path}`);
  const refused = (name: string): Promise<unknown> => agent.execute(name).catch((error: unknown) => error);
  for (let count = 0; count < 20; count++) {
    expect(await agent.execute("guest-ping")).toEqual({});
    expect(await refused(`guest-nosuch-${count}`)).toMatchObject({
      code: "command",
      class: "CommandNotFound",
      command: `guest-nosuch-${count}`,
    });
    expect(typeof (await agent.execute("guest-get-time"))).toMatch(/number|bigint/);
    const given = new AbortController();
    const gone = agent.execute("guest-get-time", {}, { signal: given.signal }).catch(() => "given up");
    given.abort(new Error("enough"));
    expect(await gone).toBe("given up");
  }
});

it("the commands that are typed are those of a real agent, and say what the types say they do", async () => {
  await using real = await realAgent();
  await using agent = await connectAgent(`unix:${real.path}`);
  const table =
    (await readFile(new URL("../../src/schema/agent-commands.ts", import.meta.url), "utf8"))
      .split("export interface AgentCommands {")[1]
      ?.split("\n}\n")[0] ?? "";
  const typed = [...table.matchAll(/^ {2}"(guest-[\w-]+)": \{/gm)].map(([, name = ""]) => name);
  const { supported_commands: known, version } = await agent.execute("guest-info");
  expect(version).toMatch(/^\d+\.\d+/);
  expect(typed.length).toBeGreaterThan(30);
  // Later releases add some.
  expect(typed.filter((name) => !known.some((command) => command.name === name))).toEqual([]);
  expect(
    known
      .filter((command) => !command["success-response"])
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(["guest-shutdown", "guest-suspend-disk", "guest-suspend-hybrid", "guest-suspend-ram"]);
  const [first] = await agent.execute("guest-get-vcpus");
  expect([typeof first?.["logical-id"], typeof first?.online]).toEqual(["number", "boolean"]);
  expect((await agent.execute("guest-get-osinfo")).id).toEqual(expect.any(String));
  expect((await agent.execute("guest-get-host-name"))["host-name"]).toEqual(expect.any(String));
  expect((await agent.execute("guest-network-get-interfaces")).map(({ name }) => name)).toContain("lo");
  const { pid } = await agent.execute("guest-exec", { path: "/bin/echo", arg: ["hello"], "capture-output": true });
  await expect
    .poll(async () => (await agent.execute("guest-exec-status", { pid }))["out-data"])
    .toBe(Buffer.from("hello\n").toString("base64"));
});
