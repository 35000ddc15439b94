import { on } from "node:events";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { clientsOnTcp, clientsOnUnix } from "../../src/host/clients.ts";
import { runModule } from "./processes.ts";

async function ownFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A server, and what settles when it has taken its next client. */
async function serverOn(where: string | number): Promise<{ readonly server: Server; readonly taken: () => Promise<unknown> }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
  });
  onTestFinished(() => void server.close());
  const connections = on(server, "connection");
  await new Promise<void>((resolve) =>
    typeof where === "string" ? server.listen(where, resolve) : server.listen(where, "127.0.0.1", resolve),
  );
  return { server, taken: () => connections.next() };
}

const dials = (to: object): string => `(await import("node:net")).connect(${JSON.stringify(to)}, () => console.log("in"))`;

describe("who is connected", () => {
  test("to a Unix socket: another process, not ourselves", async () => {
    const path = join(await ownFolder(), "a b.sock");
    const { taken } = await serverOn(path);
    expect(await clientsOnUnix(path, [])).toEqual({ isHeld: false, who: [] });
    const own = connect(path);
    onTestFinished(() => void own.destroy());
    await taken();
    expect(await clientsOnUnix(path, [])).toEqual({ isHeld: false, who: [] });
    const { pid, kill } = await runModule(dials({ path }));
    await taken();
    expect(await clientsOnUnix(path, [])).toEqual({
      isHeld: true,
      who: [{ pid, command: expect.stringContaining("module.mjs"), isCertain: true }],
    });
    await symlink(path, `${path}.link`);
    for (const spelled of [`${path}.link`, path.replace(/\/([^/]*)$/, "/../$1").replace("/../", `/../${basename(dirname(path))}/`)])
      expect((await clientsOnUnix(spelled, []))?.isHeld, spelled).toBe(true);
    // Whose listener can't be seen.
    expect(await clientsOnUnix(`${path}x`, [])).toBeNull();
    await kill();
    expect(await clientsOnUnix(path, [])).toMatchObject({ who: [] });
  });

  test("to a Unix socket: nobody, when a client has left and the listener has not noticed", async () => {
    const path = join(await ownFolder(), "m.sock");
    // Takes its clients, and never reads again.
    await runModule(
      `const server = (await import("node:net")).createServer({ pauseOnConnect: true }, () => console.log("taken")); server.listen(${JSON.stringify(path)}, () => console.log("up"))`,
    );
    const client = await runModule(`${dials({ path })}.on("data", () => {})`);
    while ((await clientsOnUnix(path, []))?.who[0]?.pid !== client.pid) await new Promise((resolve) => setImmediate(resolve));
    await client.kill();
    expect(await clientsOnUnix(path, [])).toEqual({ isHeld: false, who: [] });
  });

  test("to a Unix socket, without ss: that somebody is, and the likely processes by their command lines", async () => {
    const folder = await ownFolder();
    const path = join(folder, "m.sock");
    const { taken } = await serverOn(path);
    const { pid } = await runModule(`${dials({ path })} // ${path}`, "env", "-S", "");
    await taken();
    await mkdir(join(folder, "bin"));
    vi.stubEnv("PATH", join(folder, "bin"));
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await clientsOnUnix(path, [])).toEqual({ isHeld: true, who: [] });
    expect(await clientsOnUnix(path, [`${dials({ path })} // ${path}`])).toEqual({
      isHeld: true,
      who: [{ pid, command: expect.any(String), isCertain: false }],
    });
  });

  test("to a TCP port: another process, not ourselves", async () => {
    const { server, taken } = await serverOn(0);
    const { port } = server.address() as AddressInfo;
    expect(await clientsOnTcp(0)).toBeNull();
    expect(await clientsOnTcp(port)).toEqual({ isHeld: false, who: [] });
    const own = connect(port, "127.0.0.1");
    onTestFinished(() => void own.destroy());
    await taken();
    expect(await clientsOnTcp(port)).toEqual({ isHeld: false, who: [] });
    const { pid } = await runModule(dials({ port, host: "127.0.0.1" }));
    await taken();
    expect(await clientsOnTcp(port)).toEqual({
      isHeld: true,
      who: [{ pid, command: expect.stringContaining("module.mjs"), isCertain: true }],
    });
  });
});
