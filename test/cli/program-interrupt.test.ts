import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ReplayServer, startReplay } from "../../src/testing/index.ts";
import { startInTerminal } from "./pty.ts";

const GIB = 2 ** 30;

/** How often the guest was asked what it uses. */
let words = 0;

/** A machine whose guest never gives memory up. */
const answers = {
  "query-name": () => ({ name: "guest" }),
  "query-uuid": () => ({ UUID: "0" }),
  "query-status": () => ({ running: true, status: "running", singlestep: false }),
  "query-kvm": () => ({ enabled: true, present: true }),
  "query-cpus-fast": () => [],
  "query-hotpluggable-cpus": () => [],
  "query-acpi-ospm-status": () => [],
  "query-migrate": () => ({}),
  "query-memory-devices": () => [],
  "query-memory-size-summary": () => ({ "base-memory": GIB }),
  "query-balloon": () => ({ actual: GIB }),
  "qom-list": (args: unknown) =>
    (args as { path: string }).path === "/machine/peripheral" ? [{ name: "balloon0", type: "child<virtio-balloon-pci>" }] : [],
  "query-pci": () => [],
  "qom-get": () => ({ "last-update": ++words, stats: { "stat-total-memory": GIB, "stat-available-memory": (GIB / 8) * 7 } }),
  "qom-set": () => ({}),
  balloon: () => ({}),
};

async function changing(server: ReplayServer): Promise<ReturnType<typeof startInTerminal>> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  const pty = startInTerminal(["setmem", server.address, "512M"], {
    QMPCTL_CONFIG_DIR: join(folder, "config"),
    QMPCTL_RUNTIME_DIR: join(folder, "run"),
    QMPCTL_STATE_DIR: join(folder, "state"),
  });
  return {
    ...pty,
    async [Symbol.asyncDispose]() {
      await pty[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

test("^C takes back what is half done, and ends with 130", async () => {
  await using server = await startReplay({ answers });
  await using pty = await changing(server);
  await pty.says("memory: 1GiB, going to 512MiB");
  pty.type("\u0003");
  await pty.says("interrupted: undoing; press again to quit now");
  expect(await pty.ended).toBe(130);
  expect(server.said.filter(({ command }) => command === "balloon").map((it) => it.arguments)).toEqual([
    { value: GIB / 2 },
    { value: GIB },
  ]);
});

test("a second ^C does not wait for that", async () => {
  await using server = await startReplay({ answers });
  await using pty = await changing(server);
  await pty.says("memory: 1GiB, going to 512MiB");
  // What is to be taken back is never answered: it would be waited for.
  server.silence();
  pty.type("\u0003");
  await pty.says("press again to quit now");
  pty.type("\u0003");
  expect(await pty.ended).toBe(130);
}, 10_000);
