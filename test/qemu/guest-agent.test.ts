import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { connectAgent } from "../../src/qmp/guest-agent.ts";
import { startAgent } from "../../src/testing/index.ts";
import { sayToAgent } from "../testing/agent-words.ts";
import { privateFolder } from "./machine.ts";

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
    expect(await refused(`guest-nosuch-${count}`)).toMatchObject({ code: "command", class: "CommandNotFound", command: `guest-nosuch-${count}` });
    expect(typeof (await agent.execute("guest-get-time"))).toMatch(/number|bigint/);
    const given = new AbortController();
    const gone = agent.execute("guest-get-time", {}, { signal: given.signal }).catch(() => "given up");
    given.abort(new Error("enough"));
    expect(await gone).toBe("given up");
  }
});
