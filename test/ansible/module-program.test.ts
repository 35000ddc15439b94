import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { GIB } from "../../scripts/lab/facts.ts";
import { definedDomain, runningDomain, takeLock } from "../domain/scene.ts";
import { filled, MARKER, runPiped, startNode } from "./program.ts";
import { variablesOf } from "./task.ts";

async function ownFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-ansible-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe("a module, as Ansible runs it", () => {
  test("has the marker once, is ASCII, and says what is to run it", async () => {
    for (const module of ["domain", "domain_info"] as const) {
      const text = filled(module, { name: "x" });
      expect([text.split(MARKER).length, /[^\n\x20-\x7e]/.exec(text), text.split("\n", 1)]).toEqual([1, null, ["#!/usr/bin/node"]]);
      expect(text.split('{"name":"x"}').length).toBe(2);
      // It is sent with every task.
      expect(text.length).toBeLessThan(300_000);
    }
  });

  test("answers with one object of pure ASCII, and nothing else, whatever the words are", async () => {
    const scene = await definedDomain();
    const odd = "w\u00e9b\u2028\ud800<b>\u0000";
    const { code, stdout, stderr } = await runPiped("domain", { name: odd, _ansible_check_mode: true }, variablesOf(scene));
    expect([code, stderr]).toEqual([1, ""]);
    expect(stdout).toMatch(/^\{[\x20-\x7e]*\}\n$/);
    expect(JSON.parse(stdout)).toMatchObject({ failed: true, changed: false, name: odd });
    const fine = await runPiped("domain", { name: "web1", allocation: { vcpus: { current: "3" } } }, variablesOf(scene));
    expect(fine).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(/^\n?\{[\x20-\x7e]*\}\n$/) as string });
    expect(JSON.parse(fine.stdout)).toMatchObject({ changed: true, domain: { config: { vcpus: 3 } } });
    const { stdout: told } = await runPiped("domain_info", { gather: [] }, variablesOf(scene));
    expect(JSON.parse(told)).toMatchObject({ changed: false, domains: [{ name: "web1", state: "stopped" }] });
  });

  test.each([
    ["a slip", { name: "web1", allocaton: {} }, "allocaton: there is no such option, did you mean allocation?"],
    ["members of a prototype", JSON.parse('{"name": "web1", "__proto__": {"state": "absent"}}') as object, "web1"],
  ])("looks at its own arguments only: %s", async (_, given, word) => {
    const scene = await definedDomain();
    const { stdout } = await runPiped("domain", given, variablesOf(scene));
    expect((JSON.parse(stdout) as { msg: string }).msg).toContain(word);
    expect(await scene.files()).toEqual(["web1.json"]);
  });

  test("is a file, too, also in a folder of ES modules", async () => {
    const [scene, folder] = await Promise.all([definedDomain(), ownFolder()]);
    await writeFile(join(folder, "package.json"), '{"type": "module"}');
    await writeFile(join(folder, "AnsiballZ_domain.js"), filled("domain", { name: "web1" }));
    const { code, stdout, stderr } = await startNode("", [join(folder, "AnsiballZ_domain.js")], variablesOf(scene)).ended;
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ changed: false, name: "web1", state: "stopped" });
  });

  test("tells an old Node that it is one", async () => {
    const folder = await ownFolder();
    const old = join(folder, "old.cjs");
    await writeFile(
      old,
      'Object.defineProperty(process.versions, "node", { value: "16.20.2" });\nObject.defineProperty(process, "version", { value: "v16.20.2" });\ndelete process.getBuiltinModule;\n',
    );
    const { stdout } = await startNode(filled("domain", { name: "web1" }), ["--require", old, "-"]).ended;
    expect(JSON.parse(stdout)).toEqual({
      ...{ changed: false, failed: true },
      msg: "Node v16.20.2 is too old: it needs 20.19 or newer; ansible_node_interpreter names another one",
    });
  });

  test("undoes what is half done when it is told to end", async () => {
    const scene = await runningDomain();
    scene.qemu.guestObeys = false;
    const text = await scene.text();
    const asked = new Promise<void>((resolve) => {
      const balloon = scene.qemu.answers["balloon"] as (args: never) => unknown;
      scene.qemu.answers["balloon"] = (args) => {
        resolve();
        return balloon(args);
      };
    });
    const given = { name: "web1", force: true, timeout: "60s", allocation: { memory: { current: "512MiB" } } };
    const { child, ended } = startNode(filled("domain", given), [], variablesOf(scene));
    await asked;
    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({
        failed: true,
        changed: false,
        exit_code: 130,
        msg: expect.stringContaining("interrupted by SIGTERM") as string,
      }),
    ]);
    expect([await scene.text(), scene.qemu.target]).toEqual([text, GIB]);
  });

  test("goes on with what has begun when nobody hears it any more: a hangup, and a reader that is gone", async () => {
    const scene = await runningDomain();
    scene.qemu.guestObeys = false;
    let [begun, answered] = [(): void => {}, 0];
    const asked = new Promise<void>((resolve) => (begun = resolve));
    const query = scene.qemu.answers["query-balloon"] as (args: never) => unknown;
    const balloon = scene.qemu.answers["balloon"] as (args: never) => unknown;
    scene.qemu.answers["balloon"] = (args) => {
      begun();
      return balloon(args);
    };
    const given = { name: "web1", force: true, timeout: "60s", allocation: { memory: { current: "512MiB" } } };
    const { child, ended } = startNode(filled("domain", given), [], variablesOf(scene));
    await asked;
    child.kill("SIGHUP");
    child.stdout?.destroy();
    // It has had the time to give up.
    await new Promise<void>((resolve) => {
      scene.qemu.answers["query-balloon"] = (args) => {
        if (++answered === 3) resolve();
        return query(args);
      };
    });
    scene.qemu.actual = GIB / 2;
    await ended;
    expect(JSON.parse(await scene.text())).toMatchObject({ memory: { current: "512MiB" } });
  });

  test("begins nothing that nobody hears any more", async () => {
    const scene = await runningDomain();
    const text = await scene.text();
    const lock = await takeLock(scene, { holder: "somebody" });
    const { child, ended } = startNode(
      filled("domain", { name: "web1", timeout: "60s", allocation: { vcpus: { current: 3 } } }),
      [],
      variablesOf(scene),
    );
    child.stdout?.destroy();
    await once(child.stdout as NodeJS.ReadableStream, "close");
    await lock.release();
    await ended;
    expect([await scene.text(), scene.sent()]).toEqual([text, []]);
    expect(await readFile(scene.books.journal, "utf8").catch(() => null)).toBeNull();
  });
});
