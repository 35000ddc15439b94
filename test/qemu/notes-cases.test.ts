import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { openScene, type Scene } from "../../scripts/lab/scene.ts";
import { type Host, isRoot, NOBODY, openHost } from "./host.ts";

// Case D7 of SCOPES.md and its siblings: the note of what was asked of a QEMU, which it can't be asked for. Writers are killed between
// their
// note and their command, and after it; what QEMU was
// told is asked of QEMU.

const versions = await qemusInTime();
const MIB = 2 ** 20;

interface Notes {
  readonly process: { readonly pid: number; readonly started: number };
  readonly boot: string;
  readonly asked: { readonly balloon?: number; readonly threads?: number; readonly unplug?: readonly number[] };
  readonly going?: unknown;
}

async function notesOf(host: Host): Promise<Notes> {
  return JSON.parse(await readFile(join(await host.books(), "notes"), "utf8")) as Notes;
}

async function write(host: Host, change: (notes: Notes) => unknown): Promise<void> {
  await writeFile(join(await host.books(), "notes"), JSON.stringify(change(await notesOf(host))));
}

async function vcpusOf(host: Host, name: string): Promise<number> {
  return ((await host.peer(name).ask("query-cpus-fast")) as readonly unknown[]).length;
}

async function whyOf(host: Host, resource: string): Promise<string | null> {
  const rows = JSON.parse(await host.ok("diff", "web", "--json")) as readonly { readonly resource: string; readonly why: string | null }[];
  return rows.find((row) => row.resource === resource)?.why ?? null;
}

/** How long a test may take that kills at each write, in milliseconds: it runs a few dozens of commands. */
const PATIENCE = 300_000;

const SETMEM = ["setmem", "web", "40M", "--live", "--force", "--timeout", "1s"];

describe("D7: a writer that dies between its note and its command", () => {
  test.each(versions)(
    "D7: growing on QEMU $version, killed at each of its writes: the threads that were started are counted right, and recover goes on from what is so",
    async (qemu) => {
      await using host = await openHost(qemu);
      await host.define("web", { vcpus: { max: 3, current: 1 } });
      const seen = new Set<number>();
      let points = 0;
      // A file that is begun and not in its place differs in nothing from none: once is enough.
      for (const path of qemu.suite === "installed" ? ["notes\\.new$", "notes$"] : ["notes$"]) {
        for (const when of ["before", "after"] as const) {
          for (let nth = 1; ; nth++) {
            await host.ok("start", "web");
            const { code } = await host.cli(["setvcpus", "web", "2", "--live"], {
              fault: { call: path === "notes$" ? "rename" : "open", path, when, nth, act: "kill" },
            });
            if (code === 0) {
              await host.ok("destroy", "web");
              break;
            }
            expect(code).toBe(null);
            points++;
            const heard = await vcpusOf(host, "web");
            seen.add(heard);
            if (heard === 1) {
              // Nothing was asked: nothing is left to wait for, and nothing to undo.
              expect(await whyOf(host, "vcpus")).toBe(null);
              await host.ok("recover", "web", "--undo");
              expect([await vcpusOf(host, "web"), (await notesOf(host)).asked.threads]).toEqual([1, 1]);
            } else {
              await host.ok("recover", "web", "--finish");
            }
            // Under software emulation QEMU aborts at one thread more than it has room for: so as many as are left, and no more.
            await host.ok("setvcpus", "web", "3", "--live");
            expect([await vcpusOf(host, "web"), (await notesOf(host)).asked.threads], `${path} ${when} ${nth}`).toEqual([3, 3]);
            await host.ok("destroy", "web");
          }
        }
      }
      expect([points >= 4, [...seen].sort()]).toEqual([true, [1, 2]]);
    },
    PATIENCE,
  );

  test("D7: a balloon's target, killed at each of its writes: diff and recover speak of the target that QEMU has", async () => {
    await using host = await openHost();
    await host.define("web");
    const seen = new Set<number>();
    for (const when of ["before", "after"] as const) {
      for (let nth = 1; ; nth++) {
        await host.ok("start", "web");
        const initial = await host.target("web", 64 * MIB);
        const { code } = await host.cli(SETMEM, { fault: { call: "rename", path: "notes$", when, nth, act: "kill" } });
        if (code !== null) {
          await host.ok("destroy", "web");
          break;
        }
        const target = await host.target("web", 64 * MIB);
        seen.add(target / MIB);
        expect(await whyOf(host, "memory")).toBe(target === initial ? null : "waits for the guest: asked to go to 40MiB");
        const { code: back, stdout, stderr } = await host.cli(["recover", "web", "--undo", "--timeout", "1s"]);
        expect([back, await host.target("web", 64 * MIB)], stdout + stderr).toEqual([0, 64 * MIB]);
        expect(await whyOf(host, "memory")).toBe(null);
        await host.ok("destroy", "web");
      }
    }
    expect([...seen].sort()).toEqual([40, 64]);
  });

  test("D7: sibling: notes that say it was only going to be asked, before and after the firmware has placed the device", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web", "--paused");
    const going = { asked: { threads: 2, balloon: 40 * MIB }, plugging: [1] };
    await write(host, (notes) => ({ ...notes, going }));
    // No firmware has run: the target can't be read, and that is told as it is.
    expect(await whyOf(host, "memory")).toMatch(/may wait for the guest: whether it was asked to go to 40MiB.*can't be known/);
    expect(await whyOf(host, "vcpus")).toBe(null);
    await host.ok("resume", "web");
    expect(await host.target("web", 64 * MIB)).toBe(64 * MIB);
    expect(await whyOf(host, "memory")).toBe(null);
    await host.peer("web").ask("balloon", { value: 40 * MIB });
    expect(await whyOf(host, "memory")).toBe("waits for the guest: asked to go to 40MiB");
    // QEMU was not told of the vCPU: its thread is free for use.
    await host.ok("setvcpus", "web", "2", "--live");
    expect((await notesOf(host)).asked.threads).toBe(2);
  });

  test("D7: sibling: killed by the signal itself, when QEMU has heard the command and the writer waits for the guest", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    await host.target("web", 64 * MIB);
    const writer = host.start(["setmem", "web", "40M", "--live", "--force", "--timeout", "60s"]);
    while ((await host.target("web", 64 * MIB)) !== 40 * MIB);
    writer.child.kill("SIGKILL");
    await once(writer.child, "exit");
    expect(await whyOf(host, "memory")).toBe("waits for the guest: asked to go to 40MiB");
    await host.ok("recover", "web", "--undo", "--timeout", "1s");
    expect(await host.target("web", 64 * MIB)).toBe(64 * MIB);
  });
});

describe("D7: what lies where the notes are", () => {
  test("D7: a symlink there is replaced, never followed: start and changes work, and what it leads to is as it was", async () => {
    await using host = await openHost();
    await host.define("web");
    await writeFile(host.path("precious"), "precious");
    const path = join(await host.books(), "notes");
    for (const target of [host.path("precious"), host.path("nowhere"), "/dev/null", host.folder]) {
      await rm(path, { force: true });
      await symlink(target, path);
      await host.ok("start", "web");
      expect(host.pids(), target).toHaveLength(1);
      expect((await notesOf(host)).asked.threads).toBe(1);
      await rm(path);
      await symlink(target, path);
      await host.ok("vcpupin", "web", "0", "0", "--live");
      await host.ok("diff", "web");
      expect((await host.cli(SETMEM)).code).toBe(5);
      await host.ok("destroy", "web");
    }
    expect([await readFile(host.path("precious"), "utf8"), (await readdir(host.folder)).includes("nowhere")]).toEqual(["precious", false]);
  });

  test("D7: sibling: a folder, a FIFO, a file of somebody else's, damage, and a half of one: a start works or fails in one line with nothing left running", async () => {
    await using host = await openHost();
    await host.define("web");
    const path = join(await host.books(), "notes");
    const things: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["a folder", () => mkdir(path)],
      ["a folder where the next text is written", async () => mkdir(`${path}.new`)],
      ["a FIFO", () => promisify(execFile)("mkfifo", [path])],
      ["nothing", async () => undefined],
      ["half of one", () => writeFile(path, '{"process":{"pid":1,"star')],
      [
        "numbers that are none",
        async () =>
          writeFile(
            path,
            JSON.stringify({
              process: { pid: host.pids()[0] ?? 1, started: "x" },
              boot: 3,
              asked: { threads: -1, unplug: "all", balloon: 1e300 },
            }),
          ),
      ],
      ["much", () => writeFile(path, "x".repeat(2 * MIB))],
      ...(isRoot
        ? [
            [
              "somebody else's",
              async () => {
                await writeFile(path, "{}");
                await chown(path, NOBODY, NOBODY);
              },
            ] as const,
          ]
        : []),
    ];
    for (const [what, plant] of things) {
      await rm(path, { recursive: true, force: true });
      await plant();
      const { code, stderr } = await host.cli(["start", "web"]);
      if (code === 0) {
        expect([what, host.pids().length]).toEqual([what, 1]);
        await rm(path, { recursive: true, force: true });
        await rm(`${path}.new`, { recursive: true, force: true });
        await plant();
        for (const words of [
          ["diff", "web"],
          ["info", "web"],
          ["vcpupin", "web", "0", "0", "--live"],
        ]) {
          const each = await host.cli(words);
          expect([what, each.code, each.stderr], words.join(" ")).toEqual([what, 0, ""]);
        }
        expect(host.pids()).toHaveLength(1);
        await host.cli(["destroy", "web"]);
      } else expect([what, code, stderr]).toEqual([what, 1, expect.stringMatching(/^qmpctl: [^\n]*notes[^\n]*\n$/)]);
      expect([what, host.pids()]).toEqual([what, []]);
      await rm(`${path}.new`, { recursive: true, force: true });
    }
  });

  test("D7: sibling: notes of another process, or of another run of the host, are of no machine that runs now", async () => {
    await using host = await openHost();
    await host.define("web");
    await host.ok("start", "web");
    await host.target("web", 64 * MIB);
    const lies: readonly ((notes: Notes) => unknown)[] = [
      (notes) => ({ ...notes, boot: "11111111-2222-3333-4444-555555555555", asked: { unplug: [0], balloon: 32 * MIB, threads: 2 } }),
      (notes) => ({ ...notes, process: { ...notes.process, started: 1 }, asked: { unplug: [0], balloon: 32 * MIB, threads: 2 } }),
      (notes) => ({ ...notes, process: { ...notes.process, pid: 1 }, asked: { unplug: [0], balloon: 32 * MIB, threads: 2 } }),
    ];
    const before = await notesOf(host);
    for (const lie of lies) {
      await write(host, lie);
      expect([await whyOf(host, "memory"), await whyOf(host, "vcpus")]).toEqual([null, null]);
      await write(host, () => before);
    }
  });

  test("D7: sibling: a note that was lost while the machine runs costs no more than what can't be known: the next change writes it anew", async () => {
    await using host = await openHost();
    await host.define("web", { vcpus: { max: 3, current: 1 } });
    await host.ok("start", "web");
    await host.ok("setvcpus", "web", "2", "--live");
    await rm(join(await host.books(), "notes"));
    await rename(host.state, host.path("lost"));
    expect(await whyOf(host, "vcpus")).toMatch(/changed on one side only/);
    await host.ok("setvcpus", "web", "3", "--live");
    expect([await vcpusOf(host, "web"), host.pids().length]).toEqual([3, 1]);
  });
});

describe.each(versions)("D7: loadvm in the middle, on QEMU $version", (qemu) => {
  test("D7: after a snapshot was loaded diff waits for its target, not for the one before, and a change to what it was before is made", async () => {
    await using host = await openHost(qemu);
    await promisify(execFile)("qemu-img", ["create", "-q", "-f", "qcow2", "-o", "compat=1.1", host.path("disk.qcow2"), "8M"]);
    await host.define("web", { args: ["-drive", `file=${host.path("disk.qcow2")},if=virtio`] });
    await host.ok("start", "web");
    const hmp = async (line: string): Promise<void> =>
      expect(await host.peer("web").ask("human-monitor-command", { "command-line": line })).toBe("");
    await host.target("web", 64 * MIB);
    await hmp("savevm plain");
    expect((await host.cli(SETMEM)).code).toBe(5);
    expect(await whyOf(host, "memory")).toBe("waits for the guest: asked to go to 40MiB");
    await hmp("savevm asked");
    await hmp("loadvm plain");
    expect([await host.target("web", 64 * MIB), await whyOf(host, "memory")]).toEqual([64 * MIB, null]);
    await hmp("loadvm asked");
    expect([await host.target("web", 64 * MIB), await whyOf(host, "memory")]).toEqual([
      40 * MIB,
      "waits for the guest: asked to go to 40MiB",
    ]);
    await hmp("loadvm plain");
    expect((await host.cli(SETMEM)).code).toBe(5);
    expect(await host.target("web", 64 * MIB)).toBe(40 * MIB);
    await host.ok("destroy", "web");
  });
});

/** Runs the command line on a scene, dead at one of its writes. */
async function killed(scene: Scene, words: readonly string[], fault: object): Promise<number | null> {
  const { configDir = "", runtimeDir = "", stateDir = "" } = scene.options;
  const env = {
    ...process.env,
    QMPCTL_CONFIG_DIR: configDir,
    QMPCTL_RUNTIME_DIR: runtimeDir,
    QMPCTL_STATE_DIR: stateDir,
    QMPCTL_FAULT: JSON.stringify(fault),
  };
  const [main, inject] = [
    new URL("../../dist/cli/main.js", import.meta.url).pathname,
    new URL("../../scripts/faults/inject.mjs", import.meta.url).href,
  ];
  const child = spawn(process.execPath, ["--import", inject, main, ...words], { env, stdio: "ignore" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

describe.each(versions.filter(({ major }) => major >= 7))("D7: an unplug, with a guest, on QEMU $version", (qemu) => {
  test("D7: killed between its note and device_del: recover --undo has nothing to wait for, diff neither, and other counts are taken", async () => {
    await using scene = await openScene(qemu, { vcpus: { max: 4, current: 1 }, listen: true });
    await scene.start();
    await scene.domain.setVcpus(2);
    await scene.console.until(({ cpus }) => cpus === 2);
    for (const [when, nth] of [
      ["before", 1],
      ["after", 1],
    ] as const) {
      expect(await killed(scene, ["setvcpus", "web", "1", "--live"], { call: "rename", path: "notes$", when, nth, act: "kill" })).toBe(
        null,
      );
      expect([await scene.vcpus(), (await scene.commands()).includes("device_del")]).toEqual([[0, 1], false]);
      expect((await scene.domain.diff()).find(({ resource }) => resource === "vcpus")?.why).not.toMatch(/asked to let go/);
      const { code, stdout, stderr } = await scene.cli("recover", "web", "--undo");
      expect([code, stderr, /wait until the guest/.test(stdout)], `${when} ${nth}`).toEqual([0, "", false]);
    }
    await scene.domain.setVcpus(3);
    await scene.console.until(({ cpus }) => cpus === 3);
    expect(await scene.vcpus()).toEqual([0, 1, 2]);
  });

  test.skipIf(qemu.major < 10)(
    "D7: sibling: killed when QEMU has heard device_del and the guest is at it: it is known as asked, and recover --finish ends it",
    async () => {
      await using scene = await openScene(qemu, { vcpus: { max: 4, current: 1 }, listen: true });
      await scene.start();
      await scene.domain.setVcpus(2);
      await scene.console.until(({ cpus }) => cpus === 2);
      const change = scene.cli("setvcpus", "web", "1", "--live");
      await scene.heard("device_del");
      change.process.kill("SIGKILL");
      await change;
      const { code, stdout, stderr } = await scene.cli("recover", "web", "--finish");
      expect([code, await scene.vcpus()], stdout + stderr).toEqual([0, [0]]);
      expect((await scene.domain.diff()).find(({ resource }) => resource === "vcpus")?.why ?? null).toBe(null);
      await scene.console.until(({ cpus }) => cpus === 1);
    },
  );
});
