import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { LaunchConfig } from "../../../src/config/launch.ts";
import { readSource } from "../../../src/domain/lifecycle/source.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolder } from "../../config/folder.ts";
import { runProgram, runStandIn } from "../../host/processes.ts";

const QEMU = "qemu-system-x86_64";
const SIZE = ["-m", "1G", "-smp", "1"];
const config = async (...source: Parameters<typeof readSource>): Promise<LaunchConfig> => (await readSource(...source)).config;

async function own(): Promise<string> {
  return realpath(await ownFolder());
}

describe("words", () => {
  test("with relative paths are meant from the folder that is given, and that is told", async () => {
    const folder = await own();
    const { config: made, notes } = await readSource({ argv: [QEMU, "-kernel", "vmlinuz", "-hda", "/d"], folder }, "x");
    expect([made.args, notes]).toEqual([
      ["-kernel", `${folder}/vmlinuz`, "-hda", "/d"],
      [`relative paths are meant from ${folder}, and are absolute now: vmlinuz`],
    ]);
  });

  test("whose program is asked what it is, where its name does not say it", async () => {
    const folder = await own();
    const program = async (name: string, said: string): Promise<string> => {
      await writeFile(join(folder, name), `#!/bin/sh\necho "$#$1 $(pwd)" >> ${folder}/asked\necho "${said}"\n`, { mode: 0o755 });
      return `./${name}`;
    };
    const [mine, other] = [await program("mine", "QEMU emulator version 9.9.9"), await program("other", "other 1.0")];
    expect((await config({ argv: [mine, ...SIZE], folder }, "x")).emulator).toBe(join(folder, "mine"));
    await expect(config({ argv: [other, ...SIZE], folder }, "x")).rejects.toMatchObject({
      code: "usage",
      value: "./other",
      message: expect.stringContaining("--version does not say"),
    });
    await expect(config({ argv: ["./nowhere"], folder }, "x")).rejects.toMatchObject({
      message: expect.stringContaining("there is no such program"),
    });
    // One whose name says it is not run at all, nor has to be there.
    expect((await config({ argv: ["./qemu-system-mine", ...SIZE], folder }, "x")).emulator).toBe(join(folder, "qemu-system-mine"));
  });

  test("that were no UTF-8 are refused", async () => {
    await expect(config({ argv: [QEMU, "-hda", "caf\ufffd.img"] }, "x")).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("not UTF-8"),
    });
  });
});

describe("a script", () => {
  test("has its paths from where it would be run; from its own folder where it goes there", async () => {
    const folder = await own();
    await mkdir(join(folder, "vm"));
    await writeFile(join(folder, "vm", "run.sh"), `#!/bin/bash\nDISK=d.img\nexec ${QEMU} -hda $DISK "$@"\n`);
    await writeFile(join(folder, "vm", "goes.sh"), `#!/bin/bash\ncd "$(dirname "$0")" || exit 1\nexec ${QEMU} -hda d.img\n`);
    await symlink("vm/goes.sh", join(folder, "link.sh"));
    const args = async (file: string): Promise<unknown> => (await config({ file: join(folder, file), folder }, "x")).args;
    expect(await args("vm/run.sh")).toEqual(["-hda", `${folder}/d.img`]);
    expect(await args("vm/goes.sh")).toEqual(["-hda", `${folder}/vm/d.img`]);
  });

  test("that is not there is called neither a script nor a config", async () => {
    await expect(config({ file: "nosuch.sh" }, "x")).rejects.toMatchObject({
      code: "config",
      problem: "missing",
      message: expect.stringMatching(/^nosuch\.sh: there is no such file; give a launch config, or a script/),
    });
  });
});

describe("a config", () => {
  test("has its relative paths made absolute from its own folder; all the rest is kept to the letter", async () => {
    const folder = await own();
    const text = configText({ args: ["-kernel", "vmlinuz", "-append", "a/b", "-drive", "file=/d,if=none"], "x-note": "ours" });
    await writeFile(join(folder, "mine.json"), text, { mode: 0o600 });
    const made = await readSource({ file: join(folder, "mine.json"), folder: "/" }, undefined);
    expect([made.text, made.config.args[1], made.notes]).toEqual([
      text.replace('"vmlinuz"', `"${folder}/vmlinuz"`),
      `${folder}/vmlinuz`,
      [`relative paths are meant from ${folder}, and are absolute now: vmlinuz`],
    ]);
  });
});

describe("a process", () => {
  test("has its relative paths made absolute from its own folder", async () => {
    const folder = await own();
    const { pid } = await runStandIn(
      [
        "./build/qemu-system-x86_64",
        "-name",
        "p",
        "-kernel",
        "vmlinuz",
        "-blockdev",
        '{"driver":"file","filename":"d.img","node-name":"d"}',
      ],
      { cwd: folder },
    );
    const { emulator, args } = await config({ pid }, undefined);
    expect([emulator, args.slice(-4)]).toEqual([
      `${folder}/build/qemu-system-x86_64`,
      ["-kernel", `${folder}/vmlinuz`, "-blockdev", `{"driver":"file","filename":"${folder}/d.img","node-name":"d"}`],
    ]);
  });

  test("that has gone into the background, and so to /, has them from where its shell was, if the files are there; else it is refused", async () => {
    const folder = await own();
    for (const file of ["vmlinuz", "stand-in.img"]) await writeFile(join(folder, file), "");
    vi.stubEnv("PWD", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const started = (kernel: string) => runStandIn([QEMU, "-name", "p", ...SIZE, "-daemonize", "-kernel", kernel], { cwd: "/" });
    expect((await config({ pid: (await started("vmlinuz")).pid }, undefined)).args).toContain(`${folder}/vmlinuz`);
    await expect(config({ pid: (await started("other")).pid }, undefined)).rejects.toMatchObject({
      code: "host",
      message: expect.stringMatching(/relative paths are on its command line \(.*other\).*was left when it was started/),
    });
    expect((await config({ pid: (await started("/boot/other")).pid }, undefined)).args).toContain("/boot/other");
  });

  test("that is no QEMU is refused, whatever it has on its command line; a QEMU that it runs is named", async () => {
    const { pid } = await runProgram("sh", "-c", "echo up; read -r end", QEMU, "-qmp", "unix:/x,server=on,wait=off");
    await expect(config({ pid }, "x")).rejects.toMatchObject({ code: "usage", message: `process ${pid}: it is "sh", not a QEMU` });
    const parent = await runProgram("bash", "--norc", "-c", `(exec -a ${QEMU} sh -c 'echo up; read -r end'); true`);
    await expect(config({ pid: parent.pid }, "x")).rejects.toMatchObject({
      message: expect.stringMatching(/it is "bash", not a QEMU; it runs one: qmpctl define --pid \d+$/),
    });
  });

  test.runIf(process.geteuid?.() === 0)("in another root folder has paths that mean others there, and that is told", async () => {
    const script = `mkdir "$0/usr" && mount --bind /usr "$0/usr" && for each in bin lib lib64; do ln -s "usr/$each" "$0/$each"; done && exec chroot "$0" bash -c 'exec -a ${QEMU} sh -c "echo up; read -r end" -name p ${SIZE.join(" ")} -kernel /k'`;
    const { pid } = await runProgram("unshare", "--mount", "sh", "-c", script, await own());
    expect((await readSource({ pid }, "x")).notes.at(-1)).toBe(
      `process ${pid} has another root folder (a container, or chroot): its paths are resolved there, but start looks for them here`,
    );
  });

  test("with bytes that are no UTF-8 is refused, and the word is named", async () => {
    const { pid } = await runProgram("bash", "--norc", "-c", `exec -a ${QEMU} sh -c 'echo up; read -r end' -hda $'caf\\xe9.img'`);
    await expect(config({ pid }, "x")).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining('"caf\\xe9.img" of its command line is not UTF-8'),
    });
  });
});
