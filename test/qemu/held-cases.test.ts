import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { openHost } from "./host.ts";

/** Takes a monitor as a client does that never leaves. */
async function hold(to: string | number): Promise<Socket> {
  const socket = typeof to === "string" ? connect(to) : connect(to, "127.0.0.1");
  await once(socket, "data");
  socket.write('{"execute":"qmp_capabilities"}');
  await once(socket, "data");
  return socket;
}

/** Resolves when so many clients wait in the queue of a socket: those have no inode yet. */
async function queued(path: string, count: number): Promise<void> {
  const waiting = (): number =>
    readFileSync("/proc/net/unix", "utf8")
      .split("\n")
      .filter((line) => line.endsWith(` ${path}`) && / 02 +0 /.test(line)).length;
  while (waiting() < count) await new Promise((resolve) => setImmediate(resolve));
}

const US = `process ${process.pid} `;

describe("E1: who holds a monitor is named, and waited for as long as there is time", () => {
  test("a watcher and a shell leave the control monitor to changes; a change waits for another client until its deadline, and then says who it is", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    const [control, watch] = [host.path("run", "web", "control.sock"), host.path("run", "web", "watch.sock")];
    // With a watcher at the second monitor, a shell has to take the first one; without, it leaves that free.
    const watcher = host.start(["events", "web", "--count", "1"]);
    while (
      !readFileSync("/proc/net/unix", "utf8")
        .split("\n")
        .some((line) => line.endsWith(` ${watch}`) && / 03 +[1-9]/.test(line))
    )
      await new Promise((resolve) => setImmediate(resolve));
    await host.ok("setvcpus", "web", "2", "--live", "--timeout", "5s");
    expect(JSON.parse(await host.ok("qmp", "web", "query-name"))).toEqual({ name: "web" });
    watcher.child.kill("SIGTERM");
    await watcher.ended;
    const holder = await hold(control);
    const refused = await host.cli(["setvcpus", "web", "1", "--config", "--live", "--timeout", "400ms"]);
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(new RegExp(`its monitor unix:${control} is held by ${US}.*waited [\\d.]+ m?s`)),
    ]);
    expect((await host.info("web")).state).toBe("running");
    for (const words of [
      ["suspend", "web", "--timeout", "400ms"],
      ["shutdown", "web", "--timeout", "400ms"],
      ["qmp", "web", "--monitor", "control", "query-name", "--timeout", "400ms"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect([code, stderr], words[0]).toEqual([1, expect.stringContaining(`is held by ${US}`)]);
    }
    expect(await host.ok("qmp", "web", "query-name", "--timeout", "5s")).toContain("web");
    // It stands in line, and is served when the other one leaves.
    const change = host.start(["suspend", "web", "--timeout", "20s"]);
    await queued(control, 1);
    holder.destroy();
    expect(await change.ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("E2: by TCP as well; a QEMU that a signal has stopped is called so, also where its queue is full", async () => {
    await using host = await openHost();
    const { pid } = await host.hand("t", [
      "-qmp",
      "tcp:127.0.0.1:0,server=on,wait=off",
      "-qmp",
      `unix:${host.path("t.sock")},server=on,wait=off`,
    ]);
    const chardevs = (await host.peer("t").ask("query-chardev")) as readonly { readonly filename: string }[];
    const port = Number(
      chardevs.map(({ filename }) => /^disconnected:tcp:127\.0\.0\.1:(\d+)/.exec(filename)?.[1]).find((found) => found !== undefined),
    );
    const address = `tcp:127.0.0.1:${port}`;
    const holder = await hold(port);
    for (const words of [
      ["qmp", address, "query-name", "--timeout", "400ms"],
      ["suspend", address, "--timeout", "400ms"],
    ]) {
      const { code, stderr } = await host.cli(words);
      expect([code, stderr], words[0]).toEqual([1, expect.stringContaining(`its monitor ${address} is held by ${US}`)]);
    }
    holder.destroy();
    process.kill(pid, "SIGSTOP");
    const full = [1, 2, 3].map(() => connect(host.path("t.sock")).on("error", () => undefined));
    const unix = `unix:${host.path("t.sock")}`;
    for (const words of [
      ["qmp", address, "query-name"],
      ["qmp", unix, "query-name"],
      ["setvcpus", unix, "2", "--live"],
      ["events", unix],
      ["types", unix],
    ]) {
      const { code, stderr } = await host.cli([...words, "--timeout", "400ms"]);
      expect([code === 0, stderr], words.join(" ")).toEqual([
        false,
        expect.stringContaining(`QEMU (process ${pid}) is stopped by a signal and answers nothing; kill -CONT ${pid} lets it go on`),
      ]);
    }
    for (const socket of full) socket.destroy();
    process.kill(pid, "SIGCONT");
    expect(await host.ok("qmp", unix, "query-name", "--timeout", "20s")).toContain('"t"');
  });
});
