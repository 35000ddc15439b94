import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../src/cli/command.ts";
import { openFacade } from "../../src/cli/open.ts";
import { hindered, notRunning, StateError } from "../../src/domain/model/errors.ts";
import { ALONE } from "./alone.ts";
import { envOf, openShop, type Shop } from "./attempts.ts";
import { ioOf, play } from "./scene.ts";

async function saidIn(shop: Shop, ...argv: readonly string[]): Promise<string> {
  const io = ioOf({ env: { ...process.env, ...envOf(shop) } });
  await run(argv, { io, facade: openFacade(io.env), ...ALONE, version: async () => "0" });
  return io.stderr.text;
}

test.each([
  ["wbe1", /no such config; did you mean web1\? qmpctl list --all shows all domains\n$/],
  ["web", /did you mean web1\?/],
  ["mail.example", /no such config; qmpctl list --all shows all domains\n$/],
  ["$SHOP/etc/wbe1.json", /did you mean \S+\/etc\/web1\.json\?/],
  ["$SHOP/none.sock", /write the address of a monitor as unix:\S+\/none\.sock\n$/],
  ["$SHOP/qmp-web1", /write the address of a monitor as unix:\S+\/qmp-web1\n$/],
  ["127.0.0.1:4444", /write the address of a monitor as tcp:127\.0\.0\.1:4444/],
])("a domain that is written %s", async (domain, advice) => {
  await using shop = await openShop();
  for (const argv of [["info"], ["setmem", "300M"], ["qmp", "query-status"], ["start"]]) {
    const [verb = "", ...rest] = argv;
    expect((await saidIn(shop, verb, domain.replace("$SHOP", shop.folder), ...rest)).split("\n")[0] + "\n").toMatch(advice);
  }
});

test("a socket without unix:, whatever its name", async () => {
  await using shop = await openShop();
  const path = join(shop.folder, "m o n");
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  expect(await saidIn(shop, "info", path)).toBe(`qmpctl: ${path}: not a regular file; write the address of a monitor as 'unix:${path}'\n`);
});

test("no advice on files that are no domains", async () => {
  await using shop = await openShop();
  await mkdir(join(shop.folder, "web1.d"));
  await writeFile(join(shop.folder, "wnat.json"), "{}");
  expect(await saidIn(shop, "apply", "web1", join(shop.folder, "want.json"))).toBe(
    `qmpctl: ${shop.folder}/want.json: there is no such file\n`,
  );
});

test("a machine that does not run is started, unless its end was wanted", async () => {
  const fail = async (): Promise<never> => {
    throw new StateError("web 1: it does not run", "stopped");
  };
  const domain = { suspend: fail, connect: fail, shutdown: fail, destroy: fail };
  expect((await play(["suspend", "web 1"], { domain })).stderr).toBe("qmpctl: web 1: it does not run; qmpctl start 'web 1' starts it\n");
  expect((await play(["events", "web 1"], { domain })).stderr).toContain("qmpctl start 'web 1' starts it\n");
  for (const verb of ["shutdown", "destroy"])
    expect((await play([verb, "web 1"], { domain })).stderr).toBe("qmpctl: web 1: it does not run\n");
});

test("a machine that something keeps from being started is not told to be started", async () => {
  const fail = (): Promise<never> => Promise.reject(notRunning("web1", "its monitor is that of web2"));
  const start = (): Promise<never> => Promise.reject(hindered("web1", "its monitor is that of web2"));
  const said = async (verb: string): Promise<string> => (await play([verb, "web1"], { domain: { suspend: fail, start } })).stderr;
  expect(await said("suspend")).toBe("qmpctl: web1: it does not run; its monitor is that of web2\n");
  expect(await said("start")).toBe("qmpctl: web1: its monitor is that of web2\n");
});

test.each([
  "acpi: device unplug request for not supported device type: x-cpu",
  "acpi: device unplug request for not supported device type: x-cpu: the guest is still booting, or has no CPU hotplug on this QEMU",
])("that the guest is still booting is said once: %s", async (words) => {
  const change = async (): Promise<never> => Promise.reject(new StateError(words, "running"));
  const { stderr } = await play(["setvcpus", "web1", "1", "--live"], { domain: { change } });
  expect(stderr.match(/still booting/g)).toHaveLength(1);
  expect(stderr).toContain("try again when it is up");
});
