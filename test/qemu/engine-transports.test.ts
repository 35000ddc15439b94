import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { carrier, installed, launch, NO_GUEST, privateFolder, qemus } from "../../scripts/lab/machine.ts";
import { quit, unplug } from "../../src/qmp/endings.ts";
import { connectAgent } from "../../src/qmp/guest-agent.ts";
import { connect, open } from "../../src/qmp/session.ts";
import { spawnQemu } from "../../src/qmp/spawn.ts";
import { watch } from "../../src/qmp/watch.ts";
import { listen } from "../../src/wire/listen.ts";
import { rejection } from "../qmp/peer.ts";
import { block } from "./fifo.ts";

const run = promisify(execFile);
const BARE = ["-display", "none", "-nodefaults", "-no-user-config", ...NO_GUEST];

describe.each(await qemus())("QEMU $version", ({ binary, version }) => {
  test("R3: on the stdio of a program that leads there", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect({ kind: "exec", command: carrier(machine.monitors[0] as string) });
    expect(session.oob).toBe(true);
    expect((await session.execute("query-qmp-schema")).length).toBeGreaterThan(500);
  });

  test("on a QEMU's own stdio", async () => {
    await using session = await connect({ kind: "exec", command: [binary, ...BARE, "-qmp", "stdio"] });
    expect((await session.execute("query-status")).status).toBe("prelaunch");
    await quit(session);
  });

  test("on a socket pair to a QEMU that we start, which is gone when we let go", async () => {
    const emulator = await spawnQemu(binary, BARE);
    const { qemu } = emulator.session.greeting.version;
    expect(`${qemu.major}.${qemu.minor}.${qemu.micro}`).toBe(version);
    expect(existsSync(`/proc/${emulator.pid}`)).toBe(true);
    await emulator[Symbol.asyncDispose]();
    expect(existsSync(`/proc/${emulator.pid}`)).toBe(false);
  });

  test("a QEMU that does not start says why", async () => {
    const error = await rejection(spawnQemu(binary, [...BARE, "-machine", "nosuch"]));
    expect(error.message).toMatch(/it did not start: .*unsupported machine type/s);
  });

  test("a QEMU that dials in, and dials again after we let go", async () => {
    await using listener = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 });
    const port = listener.address.split(":").at(-1);
    await using machine = await launch(binary, [
      ...NO_GUEST,
      "-chardev",
      `socket,id=out,host=127.0.0.1,port=${port},server=off,${Number.parseInt(version, 10) > 9 ? "reconnect-ms=100" : "reconnect=1"}`,
      "-mon",
      "chardev=out,mode=control",
    ]);
    for (const _ of [1, 2]) {
      const transport = await listener.accept();
      await using session = await open(transport as NonNullable<typeof transport>);
      expect(await session.execute("query-name")).toEqual({});
    }
    expect(machine.pid).toBeGreaterThan(1);
  });

  test("over TCP", async () => {
    await using listener = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 });
    const { address } = listener;
    await listener.close();
    const port = address.split(":").at(-1);
    await using machine = await launch(binary, [...NO_GUEST, "-qmp", `tcp:127.0.0.1:${port},server=on,wait=off`]);
    await using session = await connect(address);
    expect((await session.execute("query-chardev")).length).toBeGreaterThan(1);
    expect(machine.pid).toBeGreaterThan(1);
  });

  test("an unplug is seen in the state; one that needs a guest stays pending", async () => {
    await using machine = await launch(binary, ["-machine", "pc", "-accel", "tcg", "-m", "64", "-S", "-device", "qemu-xhci,id=usb"]);
    await using session = await connect(machine.address);
    await session.execute("device_add", { driver: "usb-tablet", id: "tablet", bus: "usb.0" });
    expect(await unplug(session, "tablet")).toEqual({ outcome: "gone" });
    expect(await rejection(unplug(session, "tablet"))).toMatchObject({ class: "DeviceNotFound" });
    await session.execute("device_add", { driver: "virtio-balloon-pci", id: "balloon" });
    expect(await unplug(session, "balloon", { timeout: 50 })).toMatchObject({ outcome: "pending" });
  });
});

/** A certificate authority, a server's and a client's certificate, as QEMU's documentation on TLS has them. */
async function certificates(folder: string): Promise<void> {
  const file = (name: string): string => join(folder, name);
  const openssl = (...words: string[]): Promise<unknown> => run("openssl", words);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("req", "-x509", ...key, "-days", "2", "-subj", "/CN=ca", "-keyout", file("ca-key.pem"), "-out", file("ca-cert.pem"));
  for (const [name, purpose] of [
    ["server", "serverAuth"],
    ["client", "clientAuth"],
  ] as const) {
    await writeFile(file(`${name}.ext`), `subjectAltName=DNS:vm.example\nextendedKeyUsage=${purpose}\nkeyUsage=digitalSignature\n`);
    await openssl("req", ...key, "-subj", `/CN=${name}`, "-keyout", file(`${name}-key.pem`), "-out", file(`${name}.csr`));
    await openssl(
      "x509",
      "-req",
      "-in",
      file(`${name}.csr`),
      "-CA",
      file("ca-cert.pem"),
      "-CAkey",
      file("ca-key.pem"),
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      file(`${name}.ext`),
      "-out",
      file(`${name}-cert.pem`),
    );
  }
}

const hasOpenssl = await run("openssl", ["version"]).then(
  () => true,
  () => false,
);
const noTls = "TLS is not tried: its certificates are made by openssl, which is not on this machine";
// The reporter leaves out what was skipped, and why.
if (!hasOpenssl) console.error(noTls);

test.for(await qemus())("TLS to QEMU $version: the server's certificate is checked, ours is asked for", async ({ binary }, { skip }) => {
  skip(!hasOpenssl, noTls);
  await using folder = await privateFolder();
  await certificates(folder.path);
  const spare = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 });
  await spare.close();
  const port = Number(spare.address.split(":").at(-1));
  const tls = [
    "-object",
    `tls-creds-x509,id=tls,dir=${folder.path},endpoint=server,verify-peer=on`,
    "-chardev",
    `socket,id=m,host=127.0.0.1,port=${port},server=on,wait=off,tls-creds=tls`,
    "-mon",
    "chardev=m,mode=control",
  ];
  await using machine = await launch(binary, [...NO_GUEST, ...tls]);
  expect(machine.pid).toBeGreaterThan(1);
  const at = (path: string): string => join(folder.path, path);
  const address = `tls:127.0.0.1:${port}?ca=${at("ca-cert.pem")}`;
  const ours = `&cert=${at("client-cert.pem")}&key=${at("client-key.pem")}`;
  const session = await connect(`${address}${ours}&name=vm.example`);
  expect(session.address).toBe(`${address}${ours}&name=vm.example`);
  expect((await session.execute("query-qmp-schema")).length).toBeGreaterThan(500);
  await session.close();
  expect(await rejection(connect(`${address}${ours}`))).toMatchObject({ code: "connect", errno: "ERR_TLS_CERT_ALTNAME_INVALID" });
  expect(await rejection(connect(`tls:127.0.0.1:${port}?name=vm.example`))).toMatchObject({ code: "connect" });
  expect((await rejection(connect(`${address}&name=vm.example`))).code).toMatch(/connect|greeting/);
  expect(await rejection(connect(`tls:127.0.0.1:${port}?ca=${at("nosuch.pem")}`))).toMatchObject({ code: "connect" });
});

test("R45: the real guest agent", async () => {
  await using folder = await privateFolder();
  const socket = join(folder.path, "agent.sock");
  const agent = spawn("qemu-ga", ["-m", "unix-listen", "-p", socket, "-t", folder.path], { stdio: "ignore" });
  const ended = once(agent, "exit");
  try {
    await expect.poll(() => existsSync(socket)).toBe(true);
    await using session = await connectAgent(`unix:${socket}`);
    expect(await session.execute("guest-ping")).toEqual({});
    expect(await session.execute("guest-info")).toMatchObject({ version: expect.any(String) });
    expect(await rejection(session.execute("guest-nosuch"))).toMatchObject({ code: "command", class: "CommandNotFound" });
    const rush = await Promise.all(Array.from({ length: 50 }, () => session.execute("guest-sync", { id: 7 })));
    expect(new Set(rush)).toEqual(new Set([7]));
    expect(await rejection(session.execute("guest-ping", {}, { signal: AbortSignal.abort("why") }))).toBe("why");
    expect(await session.execute("guest-get-time")).toBeGreaterThan(1.6e18);
  } finally {
    agent.kill();
    await ended;
  }
});

test("R46: qemu-storage-daemon", async () => {
  await using folder = await privateFolder();
  const socket = join(folder.path, "qsd.sock");
  const daemon = spawn("qemu-storage-daemon", ["--chardev", `socket,id=m,path=${socket},server=on,wait=off`, "--monitor", "chardev=m"], {
    stdio: "ignore",
  });
  const ended = once(daemon, "exit");
  try {
    await expect.poll(() => existsSync(socket)).toBe(true);
    await using session = await connect(`unix:${socket}`);
    expect(await session.execute("query-version")).toEqual(session.greeting.version);
    expect(await rejection(session.execute("query-status"))).toMatchObject({ class: "CommandNotFound" });
    await session.execute("blockdev-add", { driver: "null-co", "node-name": "n" });
    expect(await session.execute("query-named-block-nodes")).toMatchObject([{ "node-name": "n" }]);
    await quit(session);
  } finally {
    daemon.kill();
    await ended;
  }
});

test("a watcher finds out a QEMU that stands still, and not one that is only busy", async () => {
  const { binary } = await installed();
  await using machine = await launch(binary, NO_GUEST);
  await using watcher = watch(machine.address, { heartbeat: 300, backoff: { first: 60_000, longest: 60_000 } });
  const up = (await watcher.next()).value;
  if (up?.kind !== "up") throw new Error(`it begins with ${up?.kind}`);
  const stuck = await block(machine.folder);
  const blocked = up.session.execute(stuck.command, stuck.parameters);
  // Longer than two heartbeats: each finds the monitor alive.
  expect(await rejection(up.session.execute("query-name", {}, { timeout: 1000 }))).toMatchObject({ where: "busy" });
  await stuck.release();
  expect(await blocked).toEqual({});
  process.kill(machine.pid, "SIGSTOP");
  expect((await watcher.next()).value).toMatchObject({ kind: "down", error: { where: "wedged" } });
  process.kill(machine.pid, "SIGCONT");
});

test("a watcher sees a QEMU go, and another come in its place", async () => {
  const { binary } = await installed();
  await using folder = await privateFolder();
  await using watcher = watch(`unix:${join(folder.path, "monitor0.sock")}`, {
    backoff: { first: 5, longest: 20 },
    read: (session) => session.execute("query-status"),
  });
  const next = async (kind: string): Promise<any> => {
    for await (const sight of { [Symbol.asyncIterator]: () => ({ next: () => watcher.next() }) }) if (sight.kind === kind) return sight;
  };
  await next("down");
  const first = await launch(binary, NO_GUEST, { folder: folder.path });
  expect((await next("up")).state.status).toBe("prelaunch");
  await first.ask("cont");
  expect((await next("event")).event.event).toBe("RESUME");
  await first.kill();
  expect((await next("down")).error.code).toBe("closed");
  await using second = await launch(binary, NO_GUEST, { folder: folder.path });
  const back = await next("up");
  expect(back.gap.cause.code).toBe("closed");
  expect(back.state.status).toBe("prelaunch");
  expect(second.pid).not.toBe(first.pid);
});
