import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Domain } from "../../../src/domain/domain.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolder } from "../../config/folder.ts";
import { configOf, GIB, MIB } from "../facts.ts";
import { definedDomain, runningDomain } from "../scene.ts";

async function folders() {
  const folder = await ownFolder();
  return { folder, options: { configDir: join(folder, "etc"), runtimeDir: join(folder, "run") } };
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return work.then(() => "it was not refused", (error: unknown) => error);
}

describe("defining a domain", () => {
  test("from a config keeps its text to the letter, for its owner only", async () => {
    const { folder, options } = await folders();
    const text = configText({ "x-note": "ours" });
    await writeFile(join(folder, "mine.json"), text);
    const { domain, notes } = await Domain.define({ file: join(folder, "mine.json") }, options);
    const path = join(options.configDir, "web1.json");
    expect([domain.name, domain.configPath, notes]).toEqual(["web1", path, []]);
    expect(await readFile(path, "utf8")).toBe(text);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await domain.config()).toBe(text);
  });

  test("from a command line takes out of it what the config owns", async () => {
    const { options } = await folders();
    const argv = ["qemu-system-x86_64", "-name", "db", "-m", "512", "-smp", "1,maxcpus=2", "-cpu", "max"];
    const { domain } = await Domain.define({ argv }, options);
    expect(await domain.info()).toMatchObject({ name: "db", state: "stopped", emulator: "qemu-system-x86_64", config: { maxMemory: 512 * MIB, vcpus: 1, maxVcpus: 2 } });
    expect(JSON.parse(await domain.config())).toMatchObject({ args: ["-cpu", "max"] });
  });

  test("from a script finds the command in it, and takes the name that it is given", async () => {
    const { folder, options } = await folders();
    await writeFile(join(folder, "run.sh"), "#!/bin/sh\nexec qemu-system-x86_64 -m 1G \\\n  -smp 2\n");
    const { domain } = await Domain.define({ file: join(folder, "run.sh") }, { ...options, name: "box" });
    expect(await domain.info()).toMatchObject({ name: "box", config: { memory: GIB, vcpus: 2 } });
  });

  test("from a process that is not there is refused", async () => {
    const { options } = await folders();
    expect(await refusal(Domain.define({ pid: 2 ** 22 + 1 }, options))).toMatchObject({ code: "host" });
  });

  test("leaves a config that is there, unless it is to be replaced", async () => {
    const { domain, options, text } = await definedDomain();
    const before = await text();
    const argv = ["qemu-system-x86_64", "-name", "web1", "-m", "512"];
    expect(await refusal(Domain.define({ argv }, options))).toMatchObject({ code: "config", problem: "exists" });
    expect(await text()).toBe(before);
    await Domain.define({ argv }, { ...options, replace: true });
    expect((await domain.info()).config?.memory).toBe(512 * MIB);
    expect(await readdir(options.configDir)).toEqual(["web1.json"]);
  });

  test("says that a machine which runs already goes on with what it has", async () => {
    const { options } = await runningDomain();
    const argv = ["qemu-system-x86_64", "-name", "web1", "-m", "512"];
    const { notes } = await Domain.define({ argv }, { ...options, replace: true });
    expect(notes).toContain("it runs: the new config is for its next start");
  });

  test("refuses a second name beside the config's own", async () => {
    const { folder, options } = await folders();
    await writeFile(join(folder, "mine.json"), configText());
    expect(await refusal(Domain.define({ file: join(folder, "mine.json") }, { ...options, name: "other" }))).toMatchObject({ code: "usage", value: "other" });
    await expect(readdir(options.configDir)).rejects.toThrow("ENOENT");
  });
});

describe("undefining a domain", () => {
  test("removes its config", async () => {
    const { domain, options } = await definedDomain();
    await domain.undefine();
    expect(await readdir(options.configDir)).toEqual([]);
    expect(await refusal(Domain.open("web1", options))).toMatchObject({ code: "config", problem: "missing" });
  });

  test("is refused while it runs, also when its monitor is silent", async () => {
    const { domain, files } = await runningDomain({ weather: { greeting: "never" } });
    expect(await refusal(domain.undefine())).toMatchObject({ code: "refused", state: "running" });
    expect(await files()).toEqual(["web1.json"]);
  });
});

describe("a domain", () => {
  test("that there is no config of is told with the file that was looked for", async () => {
    const { options } = await definedDomain();
    expect(await refusal(Domain.open("web2", options))).toMatchObject({ code: "config", problem: "missing", path: join(options.configDir, "web2.json") });
  });

  test("known by its monitor only has its live half, and no config to change or remove", async () => {
    const { monitor, options, qemu } = await runningDomain();
    const elsewhere = { ...options, runtimeDir: join(options.runtimeDir, "..", "other") };
    const transient = await Domain.open(monitor.address, elsewhere);
    expect(transient.configPath).toBeUndefined();
    expect(await transient.info()).toMatchObject({ transient: true, state: "running", live: { vcpus: 2 } });
    expect(await transient.setMemory(512 * MIB)).toMatchObject({ outcome: "applied", changes: [{ static: { outcome: "skipped" } }] });
    expect(qemu.actual).toBe(512 * MIB);
    for (const scope of ["static", "both"] as const) expect(await refusal(transient.setMemory(GIB, { scope }))).toMatchObject({ code: "refused", report: { refusals: [{ leg: "static" }] } });
    expect(await refusal(transient.undefine())).toMatchObject({ code: "refused" });
    expect(await refusal(transient.config())).toMatchObject({ code: "refused" });
    expect(qemu.actual).toBe(512 * MIB);
  });

  test("known by a monitor where nobody listens is unreachable, and nothing of it can be changed", async () => {
    const { options } = await definedDomain(configOf());
    const gone = await Domain.open(`unix:${join(options.runtimeDir, "gone.sock")}`, options);
    expect(await gone.info()).toMatchObject({ transient: true, state: "unreachable", reason: expect.any(String) as string });
    expect(await refusal(gone.setMemory(GIB))).toMatchObject({ code: "refused", report: { refusals: [{ leg: "dynamic", instead: "try again when its monitor answers" }] } });
  });
});
