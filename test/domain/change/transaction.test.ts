import { link, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configOf, GIB, MIB } from "../../../scripts/lab/facts.ts";
import { ChangeError, RefusedError } from "../../../src/domain/change/errors.ts";
import { asked, definedDomain, failure, runningDomain, type RunningScene, takeLock } from "../scene.ts";

const TARGET = 300 * MIB;

describe("a change of both halves", () => {
  test("is done, read back and written", async () => {
    const { domain, qemu, text, files } = await runningDomain();
    const report = await domain.setMemory(TARGET, { scope: "both" });
    expect(report).toMatchObject({
      outcome: "applied",
      changes: [{ static: { outcome: "applied", actual: TARGET }, dynamic: { outcome: "applied", before: GIB, actual: TARGET } }],
      notes: ["the config is for the next start: a reboot from inside the guest keeps the machine as it is"],
    });
    expect(qemu.actual).toBe(TARGET);
    expect(await text()).toContain('"current": "300MiB"');
    expect(await files()).toEqual(["web1.json"]);
  });

  test("P14: sends nothing and writes nothing where all is so already", async () => {
    const { domain, sent, text } = await runningDomain();
    const before = await text();
    expect(
      await domain.change(
        [
          { resource: "memory", size: GIB },
          { resource: "vcpus", count: 2 },
        ],
        { scope: "both" },
      ),
    ).toMatchObject({ outcome: "unchanged" });
    expect([sent(), await text()]).toEqual([[], before]);
  });

  test("P10: of chosen vCPUs is taken back where QEMU refuses one of them", async () => {
    const { domain, qemu, text } = await runningDomain();
    const before = await text();
    qemu.refuses("device_add", "CPU[3] with APIC ID 3 exists", ({ "core-id": core }: { "core-id": number }) => core === 3);
    const error = await failure(domain.change({ resource: "vcpus-online", vcpus: "2-3", online: "2-3" }, { scope: "both" }), ChangeError);
    expect(error.report).toMatchObject({
      outcome: "rolled-back",
      changes: [{ static: { outcome: "rolled-back", actual: "off" }, dynamic: { before: "off", wanted: "on", actual: "off" } }],
    });
    expect([[...qemu.plugged.keys()], await text()]).toEqual([[0, 1], before]);
  });

  test("P2: is refused before anything is touched", async () => {
    const { domain, sent, text, files } = await runningDomain();
    const before = await text();
    const error = await failure(
      domain.change(
        [
          { resource: "memory", size: TARGET },
          { resource: "vcpus", count: 9 },
        ],
        { scope: "both" },
      ),
      RefusedError,
    );
    expect(error).toMatchObject({
      code: "refused",
      report: { outcome: "refused", changes: [{ static: { outcome: "skipped" }, dynamic: { outcome: "skipped" } }, {}] },
    });
    expect(error.report.refusals).toHaveLength(2);
    expect([sent(), await text(), await files()]).toEqual([[], before, ["web1.json"]]);
  });
});

describe("a dry run", () => {
  test("P15: says what would be done, and leaves no trace", async () => {
    const { domain, sent, text, options } = await runningDomain();
    const look = async (): Promise<unknown> => [
      await text(),
      await readdir(options.runtimeDir, { recursive: true }),
      await readdir(options.stateDir).catch(() => null),
    ];
    const before = await look();
    const report = await domain.change(
      [
        { resource: "memory", size: TARGET },
        { resource: "vcpus", count: 3 },
      ],
      { scope: "both", dryRun: true },
    );
    expect(report).toMatchObject({
      outcome: "planned",
      config: { before: await text(), after: expect.stringContaining("300MiB") as string },
    });
    expect(report.steps.map(({ what, outcome }) => [what, outcome])).toEqual([
      ["plug vCPU 2", "planned"],
      ["balloon to 300MiB", "planned"],
    ]);
    expect([sent(), await look()]).toEqual([[], before]);
  });

  test("needs no lock", async () => {
    const scene = await runningDomain();
    await using _held = await takeLock(scene, { timeout: 0 });
    expect(await scene.domain.setMemory(TARGET, { dryRun: true })).toMatchObject({ outcome: "planned" });
  });
});

describe("the config", () => {
  const editedMeanwhile = async (): Promise<RunningScene & { readonly edited: string }> => {
    const scene = await runningDomain();
    const edited = (await scene.text()).replace('"max": 4', '"max": 3');
    scene.qemu.after("balloon", () => (scene.qemu.actual === TARGET ? writeFile(scene.place.config?.path ?? "", edited) : undefined));
    return { ...scene, edited };
  };

  test("that somebody edited meanwhile stays theirs, and the machine is put back", async () => {
    const { domain, qemu, text, files, sent, edited } = await editedMeanwhile();
    const error = await failure(domain.setMemory(TARGET, { scope: "both" }));
    expect(error).toMatchObject({ code: "rolled-back", cause: { code: "config", problem: "changed" } });
    expect(error.message).toMatch(/somebody else changed it since it was read; everything is as it was$/);
    expect(error.report).toMatchObject({
      outcome: "rolled-back",
      changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "rolled-back", actual: GIB } }],
    });
    expect([qemu.actual, await text(), await files()]).toEqual([GIB, edited, ["web1.json"]]);
    expect(sent()).toEqual([`balloon {"value":${TARGET}}`, `balloon {"value":${GIB}}`]);
  });

  test("that somebody edited meanwhile, with what was done kept, is told as partial", async () => {
    const { domain, qemu, text, files, edited } = await editedMeanwhile();
    const error = await failure(domain.setMemory(TARGET, { scope: "both", onFailure: "keep" }));
    expect(error).toMatchObject({
      code: "partial",
      report: { outcome: "failed", changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "applied", actual: TARGET } }] },
    });
    expect(error.message).not.toContain("as it was");
    expect(error.report).toMatchObject({ finish: "qmpctl setmem web1 300MiB --static", takeBack: "qmpctl setmem web1 1GiB --dynamic" });
    expect([qemu.actual, await text(), await files()]).toEqual([TARGET, edited, ["web1.json"]]);
  });

  test("that has another name besides is left with both names as they are, and the guest is not touched", async () => {
    const { domain, place, sent, text, files } = await runningDomain();
    const [path, before] = [place.config?.path ?? "", await text()];
    await link(path, `${path}.other`);
    expect(await failure(domain.setMemory(TARGET, { scope: "both" }), RefusedError)).toMatchObject({
      code: "refused",
      report: { refusals: [{ leg: "static", reason: expect.stringContaining("a hard link") as string }] },
    });
    expect([sent(), await text(), await readFile(`${path}.other`, "utf8"), await files()]).toEqual([
      [],
      before,
      before,
      ["web1.json", "web1.json.other"],
    ]);
    expect(await domain.setMemory(TARGET, { scope: "dynamic" })).toMatchObject({ outcome: "applied" });
  });

  test("that can't be written is found before the guest is touched", async () => {
    // Its own name fits; that of a file beside it would be too long for any file system.
    const { options } = await definedDomain();
    const folder = join(options.runtimeDir, "..", "elsewhere");
    await mkdir(folder);
    const scene = await runningDomain({ scene: await definedDomain(configOf(), join(folder, `${"x".repeat(240)}.json`), options) });
    const error = await failure(scene.domain.setMemory(TARGET, { scope: "both" }));
    expect(error).toMatchObject({
      code: "rolled-back",
      cause: { code: "config", problem: "io" },
      report: { changes: [{ static: { outcome: "rolled-back" }, dynamic: { outcome: "skipped" } }] },
    });
    expect([scene.sent(), await scene.files()]).toEqual([[], [`${"x".repeat(240)}.json`]]);
  });
});

describe("one writer at a time", () => {
  test("waits for the lock no longer than it was given, and touches nothing", async () => {
    const scene = await runningDomain();
    await using _held = await takeLock(scene, { timeout: 0, holder: "the one before" });
    const error = await failure(scene.domain.setMemory(TARGET, { timeout: 50 }), Error);
    expect(error).toMatchObject({ code: "locked", holder: { command: "the one before" } });
    expect(scene.monitor.said).toEqual([]);
  });

  test("makes of many changes one after the other", async () => {
    const { domain, text, qemu } = await runningDomain();
    const sizes = [512, 768, 256, 1280].map((mib) => mib * MIB);
    const reports = await Promise.all(sizes.map((size) => domain.setMemory(size, { scope: "both" })));
    expect(reports.every(({ outcome }) => outcome === "applied")).toBe(true);
    expect(await text()).toContain(`"current": "${qemu.actual / MIB}MiB"`);
  });
});

describe("a domain that does not run", () => {
  test("has its config changed, unless the running machine is meant", async () => {
    const { domain, text } = await definedDomain();
    expect(await domain.setVcpus(3)).toMatchObject({
      state: "stopped",
      outcome: "applied",
      notes: [],
      changes: [{ dynamic: { outcome: "skipped" } }],
    });
    expect(await text()).toContain('"current": 3');
    expect(await failure(domain.setVcpus(4, { scope: "dynamic" }), RefusedError)).toMatchObject({
      code: "refused",
      message: "web1: the machine is not running",
    });
    expect(await failure(domain.setVcpus(4, { scope: "both" }), RefusedError)).toMatchObject({ code: "refused" });
    expect(await text()).toContain('"current": 3');
  });

  test("can't be reverted or persisted", async () => {
    const { domain } = await definedDomain();
    for (const side of ["revert", "persist"] as const)
      expect(await failure(domain[side](), RefusedError)).toMatchObject({
        code: "refused",
        report: { refusals: [{ leg: "dynamic", instead: "qmpctl start web1" }] },
      });
  });
});

describe("a monitor that is busy", () => {
  test("keeps its machine from being taken for a stopped one", async () => {
    const { domain, text } = await runningDomain({ weather: { greeting: "never" } });
    const before = await text();
    const error = await failure(domain.setMemory(TARGET), RefusedError);
    expect(error).toMatchObject({ code: "refused", report: { state: "unreachable" } });
    expect(error.message).toContain("the machine is unreachable, which is not stopped");
    expect(await text()).toBe(before);
    expect(await failure(domain.persist(), RefusedError)).toMatchObject({ code: "refused", report: { state: "unreachable" } });
  });

  test("does not stand in the way of a change for the next start", async () => {
    const { domain, text } = await runningDomain({ weather: { greeting: "never" } });
    expect(await domain.setMemory(TARGET, { scope: "static" })).toMatchObject({
      state: "unreachable",
      outcome: "applied",
      changes: [{ dynamic: { actual: null } }],
    });
    expect(await text()).toContain("300MiB");
  });

  test("that breaks while it is asked makes it unreachable as well", async () => {
    const scene = await runningDomain();
    scene.qemu.answers["query-status"] = () => scene.monitor.reset();
    expect(await failure(scene.domain.setMemory(TARGET), RefusedError)).toMatchObject({
      code: "refused",
      report: { state: "unreachable" },
    });
    expect(await scene.domain.setMemory(TARGET, { scope: "static" })).toMatchObject({ outcome: "applied" });
  });
});

describe("making one side equal the other", () => {
  test("reverts what was changed live, by plugs and all", async () => {
    const { domain, qemu, sent } = await runningDomain({ scene: await definedDomain(configOf({ vcpus: { current: 3 } })) });
    qemu.actual = TARGET;
    const report = await domain.revert();
    expect(report).toMatchObject({ scope: "dynamic", outcome: "applied" });
    expect([qemu.actual, qemu.plugged.size]).toEqual([GIB, 3]);
    expect(JSON.parse(sent()[0]?.replace(/^device_add /, "") ?? "")).toMatchObject({ driver: "max-x86_64-cpu", id: "vcpu2" });
    expect(await domain.revert()).toMatchObject({ outcome: "unchanged" });
  });

  test("persists what was changed live", async () => {
    const { domain, qemu, text } = await runningDomain();
    qemu.actual = TARGET;
    expect(await domain.persist()).toMatchObject({ scope: "static", outcome: "applied" });
    expect(await text()).toContain('"current": "300MiB"');
    expect((await domain.diff()).filter(({ why }) => why !== null)).toEqual([]);
  });
});

describe("what was asked of the guest", () => {
  test("is remembered until the guest has done it", async () => {
    const scene = await runningDomain();
    const { domain, qemu } = scene;
    await domain.setVcpus(4);
    qemu.guestObeys = false;
    expect(await domain.setVcpus(3, { scope: "both", timeout: 1000 })).toMatchObject({
      outcome: "pending",
      changes: [{ static: { outcome: "applied" }, dynamic: { outcome: "pending", actual: 4 } }],
    });
    expect(await asked(scene)).toEqual({ unplug: [3] });
    expect(await failure(domain.setVcpus(2), RefusedError)).toMatchObject({ code: "refused" });
    expect((await domain.diff()).find(({ resource }) => resource === "vcpus")?.why).toBe("waits for the guest: asked to let go of vCPU 3");
    qemu.letGo("vcpu3");
    qemu.guestObeys = true;
    expect(await domain.setVcpus(2)).toMatchObject({ outcome: "applied" });
    expect(await asked(scene)).toEqual({ unplug: [] });
  });
});
