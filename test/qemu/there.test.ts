import { readFileSync } from "node:fs";
import { copyFile, readFile, truncate, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { missingForLibvirtd, startLibvirtd } from "../../scripts/lab/libvirtd.ts";
import { type Host, openHost } from "./host.ts";

// What is there already when qmpctl comes, on the built command line and a real QEMU: machines that somebody started by hand, and those of
// libvirt and Proxmox.

const FIXTURES = new URL("../../fixtures/import/", import.meta.url).pathname;
const missing = await missingForLibvirtd();

/** What `list --running` says of these processes. */
async function seen(host: Host, ...pids: readonly number[]): Promise<readonly any[]> {
  const all = JSON.parse(await host.ok("list", "--running", "--json")) as readonly { readonly pid: number }[];
  return pids.map((pid) => all.find((each) => each.pid === pid));
}

test("every QEMU of the host is found, by whoever it was started, and nothing that only looks like one", async () => {
  await using host = await openHost();
  const { pid: hand } = await host.hand("hand", ["-qmp", `unix:${host.path("hand.sock")},server=on,wait=off`]);
  const { pid: nameless } = await host.hand("x", [], { called: null });
  await host.define("ours");
  await host.ok("start", "ours");
  await copyFile("/bin/sleep", host.path("qemu-system-x86_64"));
  const forged = host.spawn([host.path("qemu-system-x86_64"), "100"]).pid ?? 0;
  const ours = (await host.info("ours")).pid as number;
  expect(await seen(host, hand, nameless, ours, forged)).toEqual([
    expect.objectContaining({
      ...{ name: "hand", keeper: null, can: "adopt" },
      monitors: [{ address: `unix:${host.path("hand.sock")}`, state: "free", holders: [] }],
    }),
    expect.objectContaining({ name: null, can: "adopt", monitors: [] }),
    expect.objectContaining({ keeper: "qmpctl", keptAs: "ours", can: "domain" }),
    undefined,
  ]);
  expect(await host.cli(["define", "--pid", String(forged)])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("not a QEMU") as string,
  });
  // One is adopted by its pid, since others may run on this host; it goes on as it is, and can be changed.
  await host.ok("define", "--pid", String(hand));
  expect(await seen(host, hand)).toEqual([expect.objectContaining({ keeper: "qmpctl", keptAs: "hand", can: "domain" })]);
  expect(await host.info("hand")).toMatchObject({ state: "running", pid: hand });
});

test("a machine of Proxmox's, by the form of its command line, starts without Proxmox", async () => {
  await using host = await openHost();
  const text = await readFile(`${FIXTURES}proxmox/101.showcmd`, "utf8");
  // QEMU by its own name: kvm is not everywhere.
  const own = text.replace("/usr/bin/kvm", host.qemu.binary).replace("/var/lib/vz/images/101", host.folder);
  await writeFile(host.path("101.showcmd"), own);
  await writeFile(host.path("vm-101-disk-0.raw"), "");
  await truncate(host.path("vm-101-disk-0.raw"), 2 ** 24);
  await host.ok("import", "proxmox", "--from-file", host.path("101.showcmd"));
  await host.ok("start", "mail-1");
  expect(await host.info("mail-1")).toMatchObject({
    state: "running",
    live: { maxMemory: 512 * 2 ** 20, vcpus: 3, maxVcpus: 4 },
  });
});

describe.skipIf(missing !== undefined)(`a machine of libvirt's${missing === undefined ? "" : ` (missing: ${missing})`}`, () => {
  test("is told by its proofs, is left alone while it runs there, and starts as its XML says once it is taken over", async () => {
    await using libvirtd = await startLibvirtd();
    await using host = await openHost();
    const inside = { under: libvirtd.inside };
    const run = async (...words: readonly string[]): Promise<any> => {
      const { code, stdout, stderr } = await host.cli([...words, "--json"], inside);
      expect([words, code, stderr]).toEqual([words, 0, ""]);
      return JSON.parse(stdout);
    };
    await libvirtd.virsh("define", `${FIXTURES}libvirt/plain.xml`);
    await libvirtd.virsh("start", "plain");
    const [it] = await run("list", "--running");
    expect(it).toMatchObject({
      name: "plain",
      keeper: "libvirt",
      keptAs: "plain",
      isSure: true,
      can: "force",
      monitors: [{ state: "held" }],
    });
    expect(it.proofs).toEqual([
      "the pidfile /run/libvirt/qemu/plain.pid",
      expect.stringMatching(/^the socket \/var\/lib\/libvirt\/qemu\/domain-/),
    ]);
    for (const words of [
      ["define", "--pid", String(it.pid)],
      ["import", "libvirt", "plain"],
    ])
      expect(await host.cli(words, inside)).toMatchObject({ code: 3, stdout: "" });
    expect(await run("define", "--running")).toEqual([expect.objectContaining({ pid: it.pid, outcome: "left" })]);
    await libvirtd.virsh("destroy", "plain");
    await run("import", "libvirt", "plain");
    await run("start", "plain");
    expect(await run("info", "plain")).toMatchObject({
      state: "running",
      config: { memory: 384 * 2 ** 20, maxMemory: 512 * 2 ** 20 },
      live: { maxMemory: 512 * 2 ** 20, vcpus: 2, maxVcpus: 4 },
    });
    // What is recorded is what this libvirt says.
    const text = await libvirtd.virsh("domxml-to-native", "qemu-argv", "--domain", "plain");
    const comparable = (words: string): string =>
      words
        .replace(/"fd":"\d+"/, "")
        .replace(/-machine \S+/, "")
        .trim();
    expect(comparable(text)).toBe(comparable(readFileSync(`${FIXTURES}libvirt/plain.argv`, "utf8")));
    await run("destroy", "plain");
  });
});
