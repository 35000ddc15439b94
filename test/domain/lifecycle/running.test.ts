import { randomUUID } from "node:crypto";
import { appendFile, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Domain } from "../../../src/domain/domain.ts";
import { importDomain } from "../../../src/domain/lifecycle/import/import-domain.ts";
import { adoptRunning } from "../../../src/domain/lifecycle/running/adopt.ts";
import { listRunning } from "../../../src/domain/lifecycle/running/list-running.ts";
import type { RunningQemu } from "../../../src/domain/lifecycle/running/running-qemu.ts";
import { programHasText } from "../../../src/host/program-text.ts";
import { ownFolder } from "../../config/folder.ts";
import { type OwnProcess, runProgram, runStandIn } from "../../host/processes.ts";

const FIXTURES = new URL("../../../fixtures/import/", import.meta.url).pathname;

afterEach(() => vi.unstubAllEnvs());

async function world() {
  const folder = await ownFolder();
  const options = { configDir: join(folder, "etc"), runtimeDir: join(folder, "run"), stateDir: join(folder, "state") };
  // A program that has in its file what every QEMU has, and does nothing.
  const emulator = join(folder, "qemu-system-x86_64");
  await copyFile("/bin/sh", emulator);
  await appendFile(emulator, "\nQEMU emulator version %s\n");
  const qemu = (...words: readonly string[]): Promise<OwnProcess> => runProgram(emulator, "-c", "echo up; read -r end", ...words);
  return { folder, options, emulator, qemu };
}

/** Of these processes; others may run on this host. */
function of<T extends { readonly pid: number }>(all: readonly T[], ...processes: readonly OwnProcess[]): readonly (T | undefined)[] {
  return processes.map(({ pid }) => all.find((each) => each.pid === pid));
}

describe("every QEMU of the host", () => {
  test("is known by its program: not by its name, nor by its command line", async () => {
    const { options, folder, qemu } = await world();
    await copyFile("/bin/sh", join(folder, "kvm"));
    const real = await qemu("-name", "guest=web1,debug-threads=on", "-uuid", "6A0C1C9E-4F6E-4A5E-8A53-0D2F9E0B7A01");
    const forged = await runStandIn(["qemu-system-x86_64", "-name", "web2", "-m", "64"]);
    const named = await runProgram(join(folder, "kvm"), "-c", "echo up; read -r end", "-name", "web3");
    const all = await listRunning(options);
    expect(of(all, real, forged, named)).toEqual([
      expect.objectContaining({
        ...{ pid: real.pid, name: "web1", uuid: "6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7a01", keeper: null, can: "adopt", monitors: [] },
        advice: `adopt it: define --pid ${real.pid}; it has no QMP monitor until its next start`,
      }),
      undefined,
      undefined,
    ]);
    await expect(Domain.define({ pid: named.pid }, options)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("not a QEMU") as string,
    });
  });

  test("is found under any name, if it has QEMU's words", async () => {
    const { options, folder, emulator } = await world();
    await copyFile(emulator, join(folder, "vmm"));
    const it = await runProgram(join(folder, "vmm"), "-c", "echo up; read -r end", "-machine", "q35", "-m", "64");
    expect(of(await listRunning(options), it)).toEqual([expect.objectContaining({ name: null, can: "adopt" })]);
  });

  test("whose config is in a folder that we may not look into is not said to be nobody's", async () => {
    const { options, folder, qemu } = await world();
    // A link to itself is refused also to root.
    await symlink("hidden", join(folder, "hidden"));
    const path = join(folder, "hidden/web1.json");
    const it = await qemu("-name", "web1", "-object", `authz-simple,id=qmpctl-6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7a01,identity=${path}`);
    const [seen] = of<RunningQemu>(await listRunning(options), it);
    expect(seen).toMatchObject({ keeper: "qmpctl", keptAs: path, can: "domain", isSure: false });
  });

  test("that a domain is runs as that domain", async () => {
    const { options, qemu } = await world();
    const it = await qemu("-name", "web1");
    await Domain.define({ pid: it.pid }, options);
    const [seen] = of<RunningQemu>(await listRunning(options), it);
    const advice = "it is the domain web1; it has no QMP monitor until its next start";
    expect(seen).toMatchObject({ keeper: "qmpctl", keptAs: "web1", can: "domain", advice });
    expect(of(await adoptRunning(options), it)).toEqual([
      { pid: it.pid, name: "web1", outcome: "left", why: "it is the domain web1 already", notes: [] },
    ]);
  });
});

describe("what nobody manages is adopted", () => {
  test("each by its own name; one that can't be does not stop the others, and a dry run writes nothing", async () => {
    const { options, qemu } = await world();
    // Others may run on this host, and must not have the same names.
    const own = `t${randomUUID().slice(0, 8)}`;
    const [one, two, other, bad, none, taken] = [
      await qemu("-name", `one-${own}`),
      await qemu("-name", `twin-${own}`),
      await qemu("-name", `twin-${own}`),
      await qemu("-name", "a name"),
      await qemu("-m", "64"),
      await qemu("-name", `taken-${own}`),
    ];
    await Domain.define({ argv: ["qemu-system-x86_64", "-m", "8G"] }, { ...options, name: `taken-${own}` });
    const outcomes = (done: Awaited<ReturnType<typeof adoptRunning>>): unknown =>
      of(done, one, two, other, bad, none, taken).map((each) => [each?.name, each?.outcome, each?.why]);
    const refusals = [
      [`twin-${own}`, "refused", `process ${other.pid} has the same name: give one of them another: define --pid ${two.pid} --name NAME`],
      [`twin-${own}`, "refused", `process ${two.pid} has the same name: give one of them another: define --pid ${other.pid} --name NAME`],
      ["a name", "refused", `"a name" can't be a domain's name: give it another: define --pid ${bad.pid} --name NAME`],
    ];
    const last = [
      `taken-${own}`,
      "refused",
      `there is a config taken-${own} already: give it another name: define --pid ${taken.pid} --name NAME`,
    ];
    expect(outcomes(await adoptRunning({ ...options, dryRun: true }))).toEqual([
      [`one-${own}`, "planned", undefined],
      ...refusals,
      [`qemu-${none.pid}`, "planned", undefined],
      last,
    ]);
    await expect(Domain.open(`one-${own}`, options)).rejects.toMatchObject({ code: "config" });
    expect(outcomes(await adoptRunning(options))).toEqual([
      [`one-${own}`, "adopted", undefined],
      ...refusals,
      [`qemu-${none.pid}`, "adopted", undefined],
      last,
    ]);
    expect(await (await Domain.open(`one-${own}`, options)).info()).toMatchObject({ pid: one.pid });
  });

  test("what another manager's words are on is left alone, unless it is forced", async () => {
    const { options, qemu } = await world();
    const it = await qemu("-name", "lv", "-object", "secret,id=masterKey0,file=/var/lib/libvirt/qemu/domain-1-lv/master-key.aes");
    expect(of(await listRunning(options), it)).toEqual([expect.objectContaining({ keeper: "libvirt", isSure: false, can: "force" })]);
    expect(of(await adoptRunning(options), it)).toEqual([
      expect.objectContaining({
        outcome: "left",
        why: expect.stringMatching(/^libvirt may manage it, as lv, as .* two masters/) as string,
      }),
    ]);
    await expect(Domain.define({ pid: it.pid }, options)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringMatching(/libvirt may manage it.*its next action would undo ours; --force adopts it all the same$/) as string,
    });
    const { domain } = await Domain.define({ pid: it.pid }, { ...options, force: true });
    expect(domain.name).toBe("lv");
  });
});

/** Programs that say what the owners' own ones said when it was recorded. */
async function fakeTools(folder: string): Promise<void> {
  await mkdir(join(folder, "bin"));
  const virsh = `case "$*" in
*"-q domxml-to-native qemu-argv --domain "*) cat ${FIXTURES}libvirt/"$5".argv;;
*"-q domxml-to-native qemu-argv --xml "*) grep -q '<name>plain<' "$5" && cat ${FIXTURES}libvirt/plain.argv;;
*dumpxml*) cat ${FIXTURES}libvirt/"$6".dumpxml;;
*domstate*) cat "${folder}/said";;
*) echo "what?: $*" >&2; exit 1;;
esac`;
  const qm = `case "$1" in showcmd) cat ${FIXTURES}proxmox/"$2".showcmd;; config) cat ${FIXTURES}proxmox/"$2".config;; status) echo "status: $(cat ${folder}/said)";; esac`;
  for (const [name, text] of [
    ["virsh", virsh],
    ["qm", qm],
  ] as const)
    await writeFile(join(folder, "bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`);
}

describe("a machine is taken over", () => {
  test("from libvirt, with what is on no command line; not while it runs there", async () => {
    const { options, folder } = await world();
    await fakeTools(folder);
    await writeFile(join(folder, "said"), "running\n");
    await expect(importDomain({ from: "libvirt", name: "numa" }, options)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("numa: libvirt says that it is running: two machines would write the same disks") as string,
    });
    await writeFile(join(folder, "said"), "shut off\n");
    const dry = await importDomain({ from: "libvirt", name: "numa" }, { ...options, dryRun: true });
    expect([dry.path, dry.name]).toEqual([null, "numa"]);
    const { path, notes } = await importDomain({ from: "libvirt", name: "numa" }, { ...options, name: "db" });
    expect(JSON.parse(await readFile(path ?? "", "utf8"))).toMatchObject({
      name: "db",
      emulator: "/usr/bin/qemu-system-x86_64",
      memory: { max: "768MiB", current: "768MiB", period: 10, hotplug: { slots: 4, limit: "4GiB" } },
      vcpus: { max: 4, current: 3, pin: { 0: "0", 1: "0-1" } },
      threads: { emulator: "0-1" },
    });
    expect(notes.at(-1)).toBe("libvirt still has it, and must not start it any more: virsh autostart --disable numa");
    expect(await (await Domain.open("db", options)).info()).toMatchObject({ state: "stopped", config: { vcpus: 3 } });
  });

  test("from libvirt by its XML, and from Proxmox by its number", async () => {
    const { options, folder } = await world();
    await fakeTools(folder);
    await writeFile(join(folder, "said"), "stopped");
    const xml = await readFile(`${FIXTURES}libvirt/plain.xml`, "utf8");
    await expect(importDomain({ from: "libvirt", xml }, options)).rejects.toMatchObject({
      message: expect.stringContaining("says that it is stopped") as string,
    });
    const forced = await importDomain({ from: "libvirt", xml }, { ...options, force: true });
    expect(JSON.parse(forced.config)).toMatchObject({ memory: { max: "512MiB", current: "384MiB" }, vcpus: { current: 2 } });
    const { config, name, notes } = await importDomain({ from: "proxmox", id: "101" }, options);
    expect([name, JSON.parse(config)]).toMatchObject([
      "mail-1",
      {
        emulator: "/usr/bin/kvm",
        memory: { max: "512MiB", min: "256MiB" },
        vcpus: { max: 4, current: 3 },
        agent: join(options.runtimeDir, "mail-1/qga0.sock"),
      },
    ]);
    expect(notes.at(-1)).toBe("Proxmox still has it, and must not start it any more: qm set 101 --onboot 0");
  });

  test("from a file that was saved elsewhere; a machine with its UUID that runs here is in the way", async () => {
    const { options, qemu } = await world();
    const text = await readFile(`${FIXTURES}libvirt/plain.argv`, "utf8");
    const source = { from: "libvirt", text, file: "plain.argv" } as const;
    const it = await qemu("-name", "other", "-uuid", "6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7a01");
    await expect(importDomain(source, options)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining(`plain: it runs, as process ${it.pid}: two machines would write the same disks`) as string,
    });
    await it.kill();
    const { path } = await importDomain(source, options);
    expect(path).toBe(join(options.configDir, "plain.json"));
    await expect(importDomain(source, options)).rejects.toMatchObject({ code: "config", problem: "exists" });
  });

  test.each([
    [{ from: "libvirt", name: "--help" }, "usage", "can't be a domain of libvirt's"],
    [{ from: "libvirt", name: "x", connect: "-x" }, "usage", "not an address of libvirt's"],
    [{ from: "proxmox", id: "1; reboot" }, "usage", "not a number of Proxmox's"],
    [{ from: "proxmox", id: "101" }, "host", "qm: there is no such program, it comes with Proxmox VE; --from-file reads its saved output"],
    [{ from: "libvirt", name: "x" }, "host", "virsh: there is no such program, it comes with libvirt-clients; --from-file"],
    [{ from: "libvirt", text: "kvm -name 'a b' -m 64", file: "f" }, "usage", `name "a b": not a name for a domain here`],
    [{ from: "libvirt", text: "rm -rf /", file: "f" }, "usage", `not a name for a domain here`],
  ] as const)("not as %j", async (source, code, message) => {
    const { options, folder } = await world();
    vi.stubEnv("PATH", folder);
    await expect(importDomain(source, options)).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  });
});

test("a text is found in a file wherever it is, also where two pieces of reading meet", async () => {
  const folder = await ownFolder();
  const piece = 4 * 1024 * 1024;
  for (const [name, at] of [
    ["first", 0],
    ["across", piece - 3],
    ["last", piece + 100],
  ] as const) {
    await writeFile(join(folder, name), `${"x".repeat(at)}needle${"y".repeat(10)}`);
    expect(await programHasText(join(folder, name), "needle")).toBe(true);
    expect(await programHasText(join(folder, name), "needles")).toBe(false);
  }
  expect(await programHasText(join(folder, "none"), "x")).toBeUndefined();
});
