import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startAgent } from "../../src/testing/index.ts";
import { sayToAgent } from "../testing/agent-words.ts";
import { privateFolder } from "./machine.ts";

it("the fake guest agent says what qemu-ga says, byte for byte (R45)", async () => {
  await using folder = await privateFolder();
  const path = join(folder.path, "agent.sock");
  const real = spawn("qemu-ga", ["-m", "unix-listen", "-p", path, "-t", folder.path], { stdio: "ignore" });
  const ended = once(real, "exit");
  try {
    await expect.poll(() => existsSync(path)).toBe(true);
    await using fake = await startAgent();
    expect(await sayToAgent(fake.address.slice(5))).toEqual(await sayToAgent(path));
  } finally {
    real.kill();
    await ended;
  }
});
