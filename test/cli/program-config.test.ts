import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "./program.ts";

const config = `{
  "name": "web1",
  "emulator": "qemu-system-x86_64",
  "memory": { "max": "2GiB", "current": "1GiB" },
  "vcpus": { "max": 4, "current": 2 },
  "args": ["-machine", "q35", "-device", "virtio-balloon-pci,id=balloon0"]
}
`;

/** Folders of its own, and the program that uses them. */
async function workshop(): Promise<AsyncDisposable & { readonly folder: string; run(...argv: string[]): ReturnType<typeof runProgram> }> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  const env = {
    QMPCTL_CONFIG_DIR: join(folder, "config"),
    QMPCTL_RUNTIME_DIR: join(folder, "run"),
    QMPCTL_STATE_DIR: join(folder, "state"),
  };
  return { folder, run: (...argv) => runProgram(argv, env), [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test("a stopped domain from define to undefine", async () => {
  await using shop = await workshop();
  await writeFile(join(shop.folder, "web1.json"), config);
  const path = join(shop.folder, "config", "web1.json");

  expect(await shop.run("define", join(shop.folder, "web1.json"))).toMatchObject({
    code: 0,
    stdout: `web1: defined in ${path}\n`,
    stderr: "",
  });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  // What was given, and who the machine is.
  const defined = await readFile(path, "utf8");
  const { id } = JSON.parse(defined) as { readonly id: string };
  expect(defined).toBe(config.replace('"name": "web1",\n', `"name": "web1",\n  "id": "${id}",\n`));
  expect(await shop.run("list")).toMatchObject({ code: 0, stdout: "" });
  expect(await shop.run("list", "--all")).toMatchObject({
    code: 0,
    stdout: "name  state    pid  vCPUs  memory\nweb1  stopped    -      2    1GiB\n",
  });

  expect(await shop.run("setmem", "web1", "512M", "--dry-run")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("planned") as string,
  });
  expect(await readFile(path, "utf8")).toBe(defined);
  expect(await shop.run("setmem", "web1", "512M")).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringContaining("memory    static  1GiB -> 512MiB    512MiB  applied") as string,
  });
  expect((await shop.run("config", "web1")).stdout).toBe(defined.replace("1GiB", "512MiB"));

  expect(await shop.run("undefine", "web1")).toMatchObject({ code: 0, stdout: "web1: undefined\n" });
  expect((await shop.run("config", "web1")).code).toBe(3);
});

test("what is refused ends with 3, gives every reason, and touches nothing", async () => {
  await using shop = await workshop();
  const path = join(shop.folder, "web1.json");
  await writeFile(path, config);
  const { code, stdout, stderr } = await shop.run("setvcpus", path, "9", "--live", "--static");
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr).toMatch(/^qmpctl: .*: refused, nothing was touched\n/);
  expect(stderr).toContain("9 vCPUs are more than vcpus.max 4");
  expect(stderr).toContain("not running");
  const report = JSON.parse((await shop.run("setvcpus", path, "9", "--live", "--static", "--json")).stdout) as {
    outcome: string;
    refusals: unknown[];
  };
  expect([report.outcome, report.refusals.length]).toEqual(["refused", 2]);
  expect(await readFile(path, "utf8")).toBe(config);
});
