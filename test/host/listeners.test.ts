import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { listenersOnTcp, listenersOnUnix } from "../../src/host/listeners.ts";
import { runModule } from "./processes.ts";

async function listening(server: Server): Promise<Server> {
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

describe("listeners", () => {
  test("on a Unix path are found, ours and another process's", async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmpctl test-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const [ours, others] = [join(folder, "a b.sock"), join(folder, "other.sock")];
    await listening(createServer().listen(ours));
    const node = await runModule(`(await import("node:net")).createServer().listen(${JSON.stringify(others)}, () => console.log("up"))`);
    expect(await listenersOnUnix(ours)).toEqual([process.pid]);
    expect(await listenersOnUnix(others)).toEqual([node.pid]);
    await node.kill();
    expect(await listenersOnUnix(others)).toEqual([]);
    expect(await listenersOnUnix(join(folder, "none.sock"))).toEqual([]);
  });

  test.each(["127.0.0.1", "::1"])("on a TCP port of %s are found", async (host) => {
    const server = await listening(createServer().listen(0, host));
    const { port } = server.address() as AddressInfo;
    expect(await listenersOnTcp(port)).toEqual([process.pid]);
    await new Promise((resolve) => server.close(resolve));
    expect(await listenersOnTcp(port)).toEqual([]);
  });
});
