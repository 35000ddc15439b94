import { readFile, symlink, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { openHost } from "./host.ts";

const PLAIN = ["-machine", "q35,accel=tcg", "-nodefaults", "-display", "none", "-m", "64", "-smp", "1"];

describe("C7: relative paths are meant from where the QEMU was started, and the next start finds them from anywhere", () => {
  test("of a process: its program, its disks (as words and as JSON), a serial file", async () => {
    await using host = await openHost();
    await symlink(
      host.qemu.binary === "qemu-system-x86_64" ? "/usr/bin/qemu-system-x86_64" : host.qemu.binary,
      host.path("qemu-system-here"),
    );
    for (const disk of ["one.img", "two,1.img"]) await writeFile(host.path(disk), Buffer.alloc(1024 ** 2, 7));
    const disks = [
      "-drive",
      "file=two,,1.img,if=none,id=d,format=raw",
      "-blockdev",
      '{"driver": "file", "filename": "./one.img", "node-name": "n"}',
      "-serial",
      "file:serial.log",
    ];
    const { pid } = await host.hand("p", disks, { binary: "./qemu-system-here", cwd: host.folder });
    const said = await host.ok("define", "--pid", String(pid));
    expect(said.replace(/\n\s*/g, " ")).toContain(
      `relative paths are meant from ${host.folder}, and are absolute now: ./qemu-system-here, two,1.img, ./one.img, serial.log`,
    );
    expect(JSON.parse(await host.text("p"))).toMatchObject({
      emulator: host.path("qemu-system-here"),
      args: expect.arrayContaining([
        `file=${host.path("two,,1.img")},if=none,id=d,format=raw`,
        `{"driver": "file", "filename": "${host.path("one.img")}", "node-name": "n"}`,
        `file:${host.path("serial.log")}`,
      ]),
    });
    await host.ok("destroy", "p");
    await host.ok("start", "p");
    const nodes = JSON.parse(await host.ok("qmp", "p", "query-named-block-nodes")) as readonly { readonly file: string }[];
    expect(new Set(nodes.map(({ file }) => file))).toEqual(new Set([host.path("one.img"), host.path("two,1.img")]));
    await readFile(host.path("serial.log"));
  });

  test("also of one that went into the background by itself, and so to another folder: its monitor is found where it is", async () => {
    await using host = await openHost();
    const words = [
      ...(await host.words("d")),
      "-m",
      "64",
      "-smp",
      "1",
      "-display",
      "none",
      "-daemonize",
      "-pidfile",
      "d.pid",
      "-serial",
      "file:serial.log",
      "-qmp",
      "unix:q.sock,server=on,wait=off",
    ];
    host.spawn([host.qemu.binary, "-name", "d", ...words], { env: { PATH: process.env["PATH"], PWD: host.folder } });
    await host.dialled("d", 1);
    const pid = (await readFile(host.path("d.pid"), "utf8")).trim();
    await host.ok("define", "--pid", pid);
    expect(JSON.parse(await host.text("d"))).toMatchObject({
      monitor: host.path("q.sock"),
      args: expect.arrayContaining([`file:${host.path("serial.log")}`]),
    });
    expect(JSON.parse(await host.ok("qmp", "d", "query-name"))).toEqual({ name: "d" });
    await host.ok("destroy", "d");
    await host.ok("restart", "d");
    expect((await host.info("d")).state).toBe("running");
  });

  test("of words and of a script: from the working folder; and what is no emulator is not defined", async () => {
    await using host = await openHost();
    await writeFile(host.path("disk.img"), Buffer.alloc(1024 ** 2, 7));
    await writeFile(
      host.path("run.sh"),
      `#!/bin/bash\nset -e\nDISK=disk.img   # beside us\nARGS=(${PLAIN.join(" ")}\n  -drive "file=$DISK,if=none,id=d,format=raw")\nexec ${host.qemu.binary} -name s "\${ARGS[@]}" "$@"\n`,
    );
    expect(await host.cli(["define", host.path("run.sh")], { cwd: host.folder })).toMatchObject({ code: 0, stderr: "" });
    await host.ok("start", "s");
    expect(host.qemus()[0]?.argv).toContain(`file=${host.path("disk.img")},if=none,id=d,format=raw`);
    await host.ok("destroy", "s");
    const twice = await host.cli(["define", host.path("run.sh")], { cwd: host.folder });
    expect([twice.code, twice.stderr]).toEqual([3, expect.stringContaining("--replace")]);
    for (const wrapper of [["taskset", "-c", "0"], ["ip", "netns", "exec", "n"], ["sleep"]]) {
      const { code, stderr } = await host.cli(["define", "--name", "w", "--", ...wrapper, host.qemu.binary, ...PLAIN]);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^qmpctl: command line: it begins with/)]);
    }
    const { pid = 0 } = host.spawn(["sleep", "100"]);
    expect(await host.cli(["define", "--name", "w", "--pid", String(pid)])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/it is "(sleep|setpriv)", not a QEMU/),
    });
    expect((await host.cli(["info", "w"])).code).toBe(3);
  });
});
