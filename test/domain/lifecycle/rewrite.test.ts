import { chmod, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { Domain } from "../../../src/domain/domain.ts";
import { configText } from "../../config/fixtures.ts";
import { definedDomain, runningDomain } from "../scene.ts";

describe("rewrite", () => {
  test("replaces the text, keeps the file's mode, and is told in the history", async () => {
    const { domain, text } = await definedDomain();
    await chmod(domain.configPath ?? "", 0o640);
    const before = await text();
    const next = before.replace(/"current": 2/, '"current": 1');
    expect(await domain.rewrite(next, before)).toMatchObject({ path: domain.configPath, text: next, isForNextStart: false, notes: [] });
    expect([await text(), (await stat(domain.configPath ?? "")).mode & 0o777]).toEqual([next, 0o640]);
    expect((await domain.history()).entries).toMatchObject([{ what: "define", about: "the config was edited" }]);
  });

  test("of a running machine is for its next start", async () => {
    const { domain, text, sent } = await runningDomain();
    const before = await text();
    expect(await domain.rewrite(before.replace(/"current": 2/, '"current": 1'), before)).toMatchObject({ isForNextStart: true });
    expect(sent()).toEqual([]);
  });

  test("makes relative paths absolute, as define does", async () => {
    const { domain, text } = await definedDomain();
    const before = await text();
    const own = JSON.parse(before) as { args?: readonly string[] };
    const next = JSON.stringify({ ...own, args: [...(own.args ?? []), "-drive", "file=disk.img,if=virtio"] });
    const written = JSON.parse((await domain.rewrite(next, before)).text) as { args: readonly string[] };
    expect(written.args.at(-1)).toBe(`file=${join(dirname(domain.configPath ?? ""), "disk.img")},if=virtio`);
  });

  test.each<[string, (text: string) => string, object]>([
    ["no JSON", () => "{", { code: "config", problem: "invalid" }],
    ["a value that none has", (text) => text.replace(/"current": 2/, '"current": -2'), { code: "config", problem: "invalid" }],
    ["another name", (text) => text.replace('"web1"', '"web9"'), { code: "config", problem: "invalid" }],
    [
      "an id of another machine's",
      (text) => text.replace('"web1",', '"web1", "id": "6a1b0a3e-6f2c-4c55-9d4e-1b7d5c0a9f11",'),
      { code: "usage" },
    ],
  ])("takes no text with %s", async (_, change, why) => {
    const { domain, text } = await definedDomain();
    const before = await text();
    await expect(domain.rewrite(change(before), before)).rejects.toMatchObject(why);
    expect(await text()).toBe(before);
  });

  test("takes no monitor of another domain's", async () => {
    const { domain, text, options } = await definedDomain();
    const monitor = join(options.runtimeDir, "own.sock");
    await writeFile(join(options.configDir, "other.json"), configText({ name: "other", monitor }), { mode: 0o600 });
    const before = await text();
    await expect(domain.rewrite(JSON.stringify({ ...(JSON.parse(before) as object), monitor }), before)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("is that of other already") as string,
    });
  });

  test("writes nothing over what somebody else wrote meanwhile", async () => {
    const { domain, text } = await definedDomain();
    const before = await text();
    await domain.setVcpus(1);
    const theirs = await text();
    await expect(domain.rewrite(before.replace(/"current": 2/, '"current": 1'), before)).rejects.toMatchObject({
      code: "config",
      problem: "changed",
    });
    expect(await text()).toBe(theirs);
  });

  test("has nothing to do for a machine that is known by its monitor", async () => {
    const { monitor, options } = await runningDomain();
    await using transient = await Domain.open(monitor.address, options);
    await expect(transient.rewrite("{}", "{}")).rejects.toMatchObject({ code: "refused", state: "unreachable" });
  });
});
