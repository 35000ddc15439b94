/// <reference lib="esnext.disposable" />
import { describe, expect, test } from "vitest";
import { installed, launch, qemus } from "../../scripts/lab/machine.ts";
import { openScene } from "../../scripts/lab/scene.ts";
import { runProgram } from "../cli/program.ts";

/** What a terminal would obey, or turn around. */
const OBEYED = /[\u0000-\u0008\u000b-\u000c\u000e-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\r(?!\n)/u;
/** A machine can be called anything, and so can a file that it has open. */
const EVIL = "a\u001b]0;title\u0007\u001b[2J\u009b2J\r@FAKE\u202eb";

test("a QEMU whose words would move the cursor leaves none of them on stdout or stderr, and JSON says the same", async () => {
  await using machine = await launch((await installed()).binary, [
    "-machine",
    "q35",
    "-S",
    "-m",
    "64",
    "-name",
    EVIL,
    "-smbios",
    `type=1,serial=${EVIL}`,
  ]);
  const { address } = machine;
  const lines = [
    ["info", address],
    ["vcpuinfo", address],
    ["diff", address],
    ["setmem", address, "32M", "--dry-run"],
    ["qmp", address, "query-name"],
    ["qmp", address, "query-name", "--json"],
    ["qmp", address, "--hmp", "info name"],
    ["qmp", address, "device_del", `id=${EVIL}`],
    ["qmp", address, EVIL],
    ["qmp", address, "--hmp", EVIL],
    ["events", address, EVIL],
    ["info", `${address}${EVIL}`],
  ];
  const runs: { readonly words: readonly string[]; readonly stdout: string; readonly stderr: string }[] = [];
  // One after the other: a monitor has one client.
  for (const words of lines) runs.push({ words, ...(await runProgram(words)) });
  for (const { words, stdout, stderr } of runs) {
    for (const text of [stdout, stderr]) expect(text.search(OBEYED), `${JSON.stringify(words)}: ${JSON.stringify(text)}`).toBe(-1);
    expect(stdout + stderr, JSON.stringify(words)).not.toBe("");
  }
  const said = (...words: readonly string[]): string => runs.find((it) => JSON.stringify(it.words) === JSON.stringify(words))?.stdout ?? "";
  expect(JSON.parse(said("qmp", address, "query-name"))).toEqual({ name: EVIL });
  expect(JSON.parse(said("qmp", address, "query-name", "--json"))).toEqual({ name: EVIL });
  expect(said("qmp", address, "--hmp", "info name")).toContain("\\u001b]0;title\\u0007");
});

describe.each(await qemus())("QEMU $version", (qemu) => {
  test("guesses a slip by its own schema, and reads values as its commands take them", async () => {
    await using machine = await launch(qemu.binary, ["-machine", "q35", "-S", "-m", "64", "-device", "virtio-balloon-pci,id=b0"]);
    const { address } = machine;
    expect((await runProgram(["qmp", address, "query-statu"])).stderr).toMatch(/\(CommandNotFound\), did you mean query-status\?\n$/);
    expect((await runProgram(["qmp", address, "balloon", "valeu=32M"])).stderr).toMatch(/did you mean value\?\n$/);
    expect(await runProgram(["events", address, "SHUTDWN"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("this QEMU has no such event, did you mean SHUTDOWN?") as string,
    });
    expect((await runProgram(["qmp", address, "balloon", "value=32M"])).stdout).toBe("{}\n");
    expect(
      (await runProgram(["qmp", address, "qom-set", "path=/machine/peripheral/b0", "property=guest-stats-polling-interval", "value=7"]))
        .stdout,
    ).toBe("{}\n");
    expect(await machine.ask("qom-get", { path: "/machine/peripheral/b0", property: "guest-stats-polling-interval" })).toBe(7);
  });
});

test("F1: the lines of 2007, options first, on a stopped machine and on one that runs", async () => {
  await using scene = await openScene(await installed());
  expect(await scene.cli("--static", "setmem", "web", "500M")).toMatchObject({ code: 0, stderr: "" });
  expect(await scene.config()).toMatchObject({ memory: { current: "500MiB" } });
  for (const both of [
    ["--static", "--dynamic", "setvcpus", "web", "2"],
    ["setvcpus", "web", "2", "--perm"],
  ]) {
    expect(await scene.cli(...both)).toMatchObject({ code: 3, stderr: expect.stringContaining("the machine is not running") as string });
  }
  await scene.start({ paused: true });
  expect(await scene.cli("--static", "--dynamic", "setvcpus", "web", "2")).toMatchObject({ code: 0, stderr: "" });
  expect([await scene.vcpus(), (await scene.config()).vcpus.current]).toEqual([[0, 1], 2]);
  expect(await scene.cli("--timeout", "20s", "setvcpus", "--domain", "web", "--count", "3", "--perm")).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect([await scene.vcpus(), (await scene.config()).vcpus.current]).toEqual([[0, 1, 2], 3]);
  expect(await scene.cli("--dynamic", "setvcpus", "web", "4")).toMatchObject({ code: 0 });
  expect([await scene.vcpus(), (await scene.config()).vcpus.current]).toEqual([[0, 1, 2, 3], 3]);
  const [state, info] = await Promise.all([scene.cli("domstate", "web", "-o", "json"), scene.cli("info", "web", "--json")]);
  // What moves by itself from one look to the next.
  const still = ({ stdout }: { readonly stdout: string }): unknown => {
    const { live, ...rest } = JSON.parse(stdout) as { readonly live: object };
    return { ...rest, uptime: 0, live: { ...live, host: 0 } };
  };
  expect(still(state)).toEqual(still(info));
});
