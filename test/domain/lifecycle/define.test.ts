import { randomUUID } from "node:crypto";
import { readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configOf, GIB, MIB } from "../../../scripts/lab/facts.ts";
import { Domain } from "../../../src/domain/domain.ts";
import type { DomainOptions } from "../../../src/domain/machine/place.ts";
import { listDomains } from "../../../src/domain/views/list.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolder, ownFolders } from "../../config/folder.ts";
import { runStandIn } from "../../host/processes.ts";
import { definedDomain, runningDomain } from "../scene.ts";

async function folders() {
  const folder = await ownFolder();
  return { folder, options: { configDir: join(folder, "etc"), runtimeDir: join(folder, "run"), stateDir: join(folder, "state") } };
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "it was not refused",
    (error: unknown) => error,
  );
}

describe("defining a domain", () => {
  test("from a config keeps its text to the letter but for the id that it gets, for its owner only", async () => {
    const { folder, options } = await folders();
    const given = configText({ "x-note": "ours" });
    await writeFile(join(folder, "mine.json"), given);
    const { domain, notes } = await Domain.define({ file: join(folder, "mine.json") }, options);
    const path = join(options.configDir, "web1.json");
    expect([domain.name, domain.configPath, notes]).toEqual(["web1", path, []]);
    const text = await readFile(path, "utf8");
    const { id } = JSON.parse(text) as { readonly id: string };
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(text).toBe(given.replace('"name": "web1",\n', `"name": "web1",\n  "id": "${id}",\n`));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await domain.config()).toBe(text);
  });

  test("from a command line takes out of it what the config owns", async () => {
    const { options } = await folders();
    const argv = ["qemu-system-x86_64", "-name", "db", "-m", "512", "-smp", "1,maxcpus=2", "-cpu", "max"];
    const { domain } = await Domain.define({ argv }, options);
    expect(await domain.info()).toMatchObject({
      name: "db",
      state: "stopped",
      emulator: "qemu-system-x86_64",
      config: { maxMemory: 512 * MIB, vcpus: 1, maxVcpus: 2 },
    });
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
    const { options, process } = await runningDomain();
    const argv = ["qemu-system-x86_64", "-name", "web1", "-m", "512"];
    const { notes } = await Domain.define({ argv }, { ...options, replace: true });
    expect(notes).toContain(`it runs (process ${process.pid}): the new config is for its next start`);
  });

  test("of somebody else's QEMU, by its process, makes it a domain that runs", async () => {
    const { options } = await folders();
    const qemu = await runStandIn([
      "qemu-system-x86_64",
      "-name",
      "db",
      "-m",
      "512",
      "-qmp",
      `unix:${options.runtimeDir}/db.sock,server=on,wait=off`,
    ]);
    const { domain, notes } = await Domain.define({ pid: qemu.pid }, options);
    expect(notes.at(-1)).toBe(`it runs (process ${qemu.pid}): the new config is for its next start`);
    expect(await domain.info()).toMatchObject({ name: "db", state: "unreachable", pid: qemu.pid });
    // Whatever its config becomes: it is known by its process.
    await writeFile(domain.configPath ?? "", (await domain.config()).replace("stand-in.img", "other.img"));
    expect(await domain.info()).toMatchObject({ state: "unreachable", pid: qemu.pid });
    expect(await refusal(domain.undefine())).toMatchObject({ code: "refused", state: "running" });
    await domain.destroy();
    expect(await domain.info()).toMatchObject({ state: "stopped" });
  });

  test("of a process that is a domain already is refused, naming that one", async () => {
    const scene = await runningDomain();
    expect(await refusal(Domain.define({ pid: scene.process.pid }, { ...scene.options, name: "again" }))).toMatchObject({
      code: "refused",
      message: `process ${scene.process.pid}: it is web1, which has a config already`,
    });
    expect(await scene.files()).toEqual(["web1.json"]);
  });

  test("of a process whose config is in another folder is refused, naming its path", async () => {
    const scene = await runningDomain();
    const { config } = await ownFolders();
    expect(await refusal(Domain.define({ pid: scene.process.pid }, { ...scene.options, configDir: config, name: "again" }))).toMatchObject({
      code: "refused",
      message: `process ${scene.process.pid}: it is the machine of ${scene.domain.configPath}, which has a config already`,
    });
  });
});

describe("a second name of a domain, a link to its config,", () => {
  const linked = async () => {
    const scene = await definedDomain();
    const link = join(scene.options.configDir, "alias.json");
    await symlink("web1.json", link);
    return { ...scene, link };
  };

  test("is no second domain in a list", async () => {
    const { options } = await linked();
    expect((await listDomains({ ...options, all: true })).map(({ name }) => name)).toEqual(["web1"]);
    // One that leads nowhere is told.
    await symlink("gone.json", join(options.configDir, "lost.json"));
    expect((await listDomains({ ...options, all: true })).map(({ name }) => name)).toEqual(["lost", "web1"]);
  });

  test("is all that goes when it is undefined by that name; also while the machine runs", async () => {
    const { options, link, text, files } = await linked();
    const before = await text();
    expect(await (await Domain.open("alias", options)).undefine()).toEqual({ alias: link, links: [] });
    expect([await files(), await text()]).toEqual([["web1.json"], before]);
  });

  test("goes with the config that it leads to, as it would lead nowhere; others stay", async () => {
    const { domain, options, link, files } = await linked();
    await symlink("gone.json", join(options.configDir, "lost.json"));
    await writeFile(join(options.configDir, "db.json"), configText({ name: "db" }), { mode: 0o600 });
    await symlink("db.json", join(options.configDir, "other.json"));
    expect(await domain.undefine()).toEqual({ alias: null, links: [link] });
    expect((await files()).toSorted()).toEqual(["db.json", "lost.json", "other.json"]);
  });
});

describe("the id of a domain", () => {
  // Not one that a process of another test may carry at the same time.
  const ID = randomUUID();
  const idIn = async (domain: Domain): Promise<unknown> => (JSON.parse(await domain.config()) as { readonly id?: unknown }).id;

  async function define(
    folder: string,
    options: DomainOptions & { readonly replace?: boolean },
    changes: Readonly<Record<string, unknown>>,
  ) {
    await writeFile(join(folder, "given.json"), configText(changes));
    return Domain.define({ file: join(folder, "given.json") }, options);
  }

  test("that its config has already is kept", async () => {
    const { folder, options } = await folders();
    const { domain, notes } = await define(folder, options, { id: ID });
    expect([await domain.config(), notes]).toEqual([configText({ id: ID }), []]);
  });

  test("that another domain has is not given to a second one, and that is told", async () => {
    const { folder, options } = await folders();
    await define(folder, options, { id: ID });
    const { domain, notes } = await define(folder, options, { id: ID, name: "copy" });
    expect([notes, await idIn(domain)]).toEqual([["its id was that of web1: it has one of its own now"], expect.not.stringMatching(ID)]);
  });

  test("stays when its config is replaced: the machine that runs is the same", async () => {
    const { folder, options } = await folders();
    const { domain } = await define(folder, options, { id: ID });
    await define(folder, { ...options, replace: true }, { note: "no id" });
    expect(await idIn(domain)).toBe(ID);
    await define(folder, { ...options, replace: true }, { id: "ffffffff-2b3c-4f57-9d7c-0d4b5e6f7a8b" });
    expect(await idIn(domain)).toBe(ID);
  });

  test("of a config without one is what its machine has been known by, when it is replaced while it runs", async () => {
    const scene = await runningDomain();
    const { domain } = await Domain.define(
      { argv: ["qemu-system-x86_64", "-name", "web1", "-m", "512"] },
      { ...scene.options, replace: true },
    );
    expect([await idIn(domain), (await domain.info()).state, (await domain.info()).pid]).toEqual([scene.id, "running", scene.process.pid]);
  });

  test("is none in upper case, or any other text", async () => {
    const { folder, options } = await folders();
    for (const id of [ID.toUpperCase(), "web1", "", 7])
      expect(await refusal(define(folder, options, { id }))).toMatchObject({
        code: "config",
        message: expect.stringMatching(/id is .*, expected a UUID in lower case/) as string,
      });
  });
});

describe("a monitor of one's own", () => {
  test("that another domain has already is refused: the second would take it from the first", async () => {
    const { folder, options } = await folders();
    const monitor = join(folder, "own.sock");
    for (const name of ["web1", "web2"]) await writeFile(join(folder, `${name}.json`), configText({ name, monitor }));
    const { domain } = await Domain.define({ file: join(folder, "web1.json") }, options);
    expect(await refusal(Domain.define({ file: join(folder, "web2.json") }, options))).toMatchObject({
      code: "refused",
      message: `web2: its monitor ${monitor} is that of web1 already (${domain.configPath}): give it a path of its own, or none`,
    });
    await Domain.define({ file: join(folder, "web1.json") }, { ...options, replace: true });
    expect(await readdir(options.configDir)).toEqual(["web1.json"]);
  });

  test("refuses a second name beside the config's own", async () => {
    const { folder, options } = await folders();
    await writeFile(join(folder, "mine.json"), configText());
    expect(await refusal(Domain.define({ file: join(folder, "mine.json") }, { ...options, name: "other" }))).toMatchObject({
      code: "usage",
      value: "other",
    });
    await expect(readdir(options.configDir)).rejects.toThrow("ENOENT");
  });
});

describe("undefining a domain", () => {
  test("removes its config", async () => {
    const { domain, options } = await definedDomain();
    await domain.undefine();
    expect([await readdir(options.configDir), await readdir(options.stateDir)]).toEqual([[], []]);
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
    expect(await refusal(Domain.open("web2", options))).toMatchObject({
      code: "config",
      problem: "missing",
      path: join(options.configDir, "web2.json"),
    });
  });

  test("known by its monitor only has its live half, and no config to change or remove", async () => {
    const { monitor, options, qemu } = await runningDomain();
    const elsewhere = { ...options, runtimeDir: join(options.runtimeDir, "..", "other") };
    const transient = await Domain.open(monitor.address, elsewhere);
    expect(transient.configPath).toBeUndefined();
    expect(await transient.info()).toMatchObject({ transient: true, state: "running", live: { vcpus: 2 } });
    expect(await transient.setMemory(512 * MIB)).toMatchObject({ outcome: "applied", changes: [{ static: { outcome: "skipped" } }] });
    expect(qemu.actual).toBe(512 * MIB);
    for (const scope of ["static", "both"] as const)
      expect(await refusal(transient.setMemory(GIB, { scope }))).toMatchObject({
        code: "refused",
        report: { refusals: [{ leg: "static" }] },
      });
    expect(await refusal(transient.undefine())).toMatchObject({ code: "refused" });
    expect(await refusal(transient.config())).toMatchObject({ code: "refused" });
    expect(qemu.actual).toBe(512 * MIB);
  });

  test("known by a monitor where nobody listens is unreachable, and nothing of it can be changed", async () => {
    const { options } = await definedDomain(configOf());
    const gone = await Domain.open(`unix:${join(options.runtimeDir, "gone.sock")}`, options);
    expect(await gone.info()).toMatchObject({ transient: true, state: "unreachable", reason: expect.any(String) as string });
    expect(await refusal(gone.setMemory(GIB))).toMatchObject({
      code: "refused",
      report: { refusals: [{ leg: "dynamic", instead: "try again when its monitor answers" }] },
    });
  });
});
