import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/command.ts";
import { openFacade } from "../../../src/cli/open.ts";
import { files } from "../../../src/cli/schema/fleet.ts";
import { readConfig } from "../../../src/config/store.ts";
import { RefusedError } from "../../../src/domain/change/errors.ts";
import type { Domain } from "../../../src/domain/facade.ts";
import { placeOf } from "../../../src/domain/machine/place.ts";
import { faultOf } from "../../../src/shape.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolders } from "../../config/folder.ts";
import { ALONE } from "../alone.ts";
import { ioOf, play, reportOf } from "../scene.ts";

let env: Readonly<Record<string, string>>;
let folder: string;

beforeEach(async () => {
  const own = await ownFolders();
  env = { QMPCTL_CONFIG_DIR: own.config, QMPCTL_RUNTIME_DIR: own.runtime, QMPCTL_STATE_DIR: own.state };
  folder = join(own.state, "files");
  await mkdir(own.config, { recursive: true });
  await mkdir(folder, { recursive: true });
  for (const name of ["web1", "web2", "web3"]) await writeFile(join(own.config, `${name}.json`), config(name), { mode: 0o600 });
});

function config(name: string, more: Parameters<typeof configText>[0] = {}): string {
  return configText({ name, vcpus: { max: 4, current: 2 }, ...more });
}

async function qmpctl(words: readonly string[], stdin = "", signal?: AbortSignal) {
  const io = ioOf({ env, stdin: Readable.from([stdin]), ...(signal === undefined ? {} : { signal }) });
  const code = await run(words, { io, facade: openFacade(env), ...ALONE, version: async () => "0" });
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

async function put(files: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [name, value] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(value));
}

async function vcpusOf(name: string): Promise<number> {
  const { config } = await placeOf(name, { env });
  return config === null ? 0 : (await readConfig(config)).config.vcpus.current;
}

async function all(): Promise<readonly number[]> {
  return Promise.all(["web1", "web2", "web3"].map(vcpusOf));
}

const vcpus = (current: number): object => ({ vcpus: { current } });

describe("apply to a folder", () => {
  test("makes each domain what the file says that is called by it, and names what is no such file", async () => {
    await put({ "web1.json": vcpus(3), "web2.json": vcpus(4), "web3.json": vcpus(2), README: 1 });
    const { code, stdout, stderr } = await qmpctl(["apply", folder]);
    expect([code, stderr]).toEqual([0, `note: skipped, as no file DOMAIN.json: ${join(folder, "README")}\n`]);
    expect(stdout).toBe("web1: applied vcpus in the config 2 -> 3\nweb2: applied vcpus in the config 2 -> 4\nweb3: unchanged\n");
    expect(await all()).toEqual([3, 4, 2]);
    expect((await qmpctl(["apply", folder])).stdout).toBe("web1: unchanged\nweb2: unchanged\nweb3: unchanged\n");
  });

  test("touches nothing if one is refused; with --where-possible it does the others, and is still no success", async () => {
    await put({ "web1.json": vcpus(3), "web2.json": vcpus(400), "gone.json": vcpus(1) });
    const refused = await qmpctl(["apply", folder]);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("nothing was touched anywhere; --where-possible") as string });
    expect(refused.stdout).toMatch(/^gone: refused: .*no such config\nweb1: planned vcpus.*\nweb2: refused: static: 400 vCPUs/);
    expect(await all()).toEqual([2, 2, 2]);
    const partly = await qmpctl(["apply", folder, "--where-possible", "--json"]);
    expect([partly.code, faultOf(files, JSON.parse(partly.stdout))]).toEqual([1, undefined]);
    expect(JSON.parse(partly.stdout)).toMatchObject({
      outcome: "failed",
      targets: [
        { domain: "gone", outcome: "refused" },
        { domain: "web1", outcome: "applied", takeBack: "qmpctl setvcpus web1 2 --static" },
        { outcome: "refused" },
      ],
    });
    expect(await all()).toEqual([3, 2, 2]);
  });

  test("only plans with --dry-run", async () => {
    await put({ "web1.json": vcpus(3) });
    const { code, stdout } = await qmpctl(["apply", folder, "--dry-run"]);
    expect([code, stdout]).toEqual([0, "web1: planned vcpus in the config 2 -> 3\n"]);
    expect(await all()).toEqual([2, 2, 2]);
  });

  test("begins no more after a failure", async () => {
    await put({ "web1.json": vcpus(3), "web2.json": vcpus(3), "web3.json": vcpus(3) });
    const report = reportOf();
    const asked: unknown[] = [];
    const apply = async (_: unknown, options: { readonly dryRun?: boolean }) => {
      if (options.dryRun === true) return report;
      asked.push(options);
      throw new RefusedError({ ...report, outcome: "refused", refusals: [{ leg: "static", reason: "somebody was faster" }] });
    };
    const { code, stdout } = await play(["apply", folder], { domain: { apply } });
    expect([code, asked.length]).toEqual([3, 1]);
    expect(stdout).toMatch(/^web1: refused: static: somebody was faster\nweb2: not begun\nweb3: not begun\n$/);
    await play(["apply", folder, "--stop-after", "2"], { domain: { apply } });
    expect(asked).toHaveLength(3);
  });

  test("gives what is so already its new end, and no other is asked twice", async () => {
    await put({ "web1.json": vcpus(3), "web2.json": vcpus(3) });
    const asked: string[] = [];
    const apply = (name: string) => async (_: unknown, options: { readonly dryRun?: boolean; readonly for?: number | string }) => {
      asked.push(`${name} ${options.dryRun === true ? "planned" : "made"} ${options.for}`);
      const end = { key: null, until: "2026-11-27T07:00:00.000Z", timer: "systemd" } as const;
      return reportOf({ outcome: "unchanged", changes: [], ...(name === "web1" ? { end } : {}) });
    };
    const open = async (name: string) => ({ name, apply: apply(name), async [Symbol.asyncDispose]() {} }) as unknown as Domain;
    const io = ioOf({ env });
    const code = await run(["apply", folder, "--for", "8h"], {
      io,
      facade: { ...openFacade(env), open },
      ...ALONE,
      version: async () => "0",
    });
    expect([code, asked]).toEqual([0, ["web1 planned 8h", "web2 planned 8h", "web1 made 8h"]]);
  });

  test("begins nothing after an interrupt", async () => {
    await put({ "web1.json": vcpus(3) });
    const { code } = await qmpctl(["apply", folder], "", AbortSignal.abort(new Error("interrupted by SIGINT")));
    expect([code, await all()]).toEqual([130, [2, 2, 2]]);
  });

  test.each([
    [{ "web1.json": { vcpu: 1 }, "web2.json": vcpus(3) }, /"vcpu": no such key/],
    [
      { "web2.json": vcpus(3), "web1.json": JSON.parse(config("web9")) as unknown },
      /web1\.json: it is the config of web9: call it web9\.json/,
    ],
    [{ README: 1 }, /no file in it is called DOMAIN\.json/],
  ])("is refused before a domain is asked: %#", async (wrong, why) => {
    await put(wrong);
    const { code, stderr } = await qmpctl(["apply", folder]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(why) as string]);
    expect(await all()).toEqual([2, 2, 2]);
  });
});

describe("apply to files", () => {
  test("takes two, where the first is an allocation; what a config was given by its path, it still is", async () => {
    await put({ "web1.json": vcpus(3), "web2.json": vcpus(4) });
    expect((await qmpctl(["apply", join(folder, "web1.json"), join(folder, "web2.json")])).code).toBe(0);
    expect(await all()).toEqual([3, 4, 2]);
    const config = join(env["QMPCTL_CONFIG_DIR"] ?? "", "web3.json");
    expect((await qmpctl(["apply", config, join(folder, "web2.json")])).code).toBe(0);
    expect(await all()).toEqual([3, 4, 4]);
  });

  test("refuses two configs, as either may be meant; --each says which", async () => {
    await put({
      "web1.json": JSON.parse(config("web1")) as unknown,
      "web2.json": { ...(JSON.parse(config("web2")) as object), vcpus: { max: 4, current: 1 } },
    });
    const both = [join(folder, "web1.json"), join(folder, "web2.json")];
    expect(await qmpctl(["apply", ...both])).toMatchObject({ code: 2, stderr: expect.stringContaining("Give --each") as string });
    expect((await qmpctl(["apply", ...both, "--each"])).code).toBe(0);
    expect(await all()).toEqual([2, 1, 2]);
  });

  test("of the same domain, or none, is a mistake", async () => {
    await put({ "web1.json": vcpus(3) });
    const file = join(folder, "web1.json");
    expect(await qmpctl(["apply", file, file, file])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is for web1 too") as string,
    });
    for (const words of [["web1"], ["-"], []]) expect((await qmpctl(["apply", ...words])).code, words.join(" ")).toBe(2);
  });
});

describe("apply of a whole config", () => {
  test("takes its allocation, and names what differs and is left", async () => {
    const text = config("web1", { vcpus: { max: 4, current: 3, pin: { 0: "0" } }, args: ["-nodefaults"] });
    const { code, stdout } = await qmpctl(["apply", "web2", "-"], text);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^note: this differs in the config that was applied, and is left as it is: args, name$/m);
    expect(await all()).toEqual([2, 3, 2]);
    const own = await qmpctl(["config", "web2"]);
    const again = await qmpctl(["apply", "web2", "-"], own.stdout);
    expect([again.code, again.stdout]).toEqual([0, expect.not.stringMatching(/applied|left as it is/) as string]);
  });

  test("names what only the domain has", async () => {
    await writeFile(join(env["QMPCTL_CONFIG_DIR"] ?? "", "web2.json"), config("web2", { vcpus: { max: 4, current: 2, pin: { 1: "0" } } }), {
      mode: 0o600,
    });
    expect((await qmpctl(["apply", "web2", "-"], config("web2"))).stdout).toContain("left as it is: vcpus.pin\n");
  });

  test("that is none is refused with what is wrong in it", async () => {
    const { code, stderr } = await qmpctl(["apply", "web2", "-"], '{"name": "web1", "emulator": 5}');
    expect([code, stderr]).toEqual([3, expect.stringContaining("emulator") as string]);
  });
});

test("apply of files for several domains is of one host", async () => {
  await put({ "web1.json": vcpus(3) });
  const { code, stderr } = await qmpctl(["-H", "kvm[1-2]", "apply", folder]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("files for several domains are of one host") as string]);
});

describe("apply of words that are no files says which would be", () => {
  test("of a domain alone: a file, or standard input", async () => {
    expect((await qmpctl(["apply", "web1"])).stderr).toContain(
      "web1 is no file and no folder; expected web1 and a file for it (- after web1 reads",
    );
    expect((await qmpctl(["apply", "-"], JSON.stringify(vcpus(3)))).stderr).toContain("standard input has no name; expected DOMAIN -");
  });

  test("of a folder for one domain: the folder alone, or one of its files", async () => {
    const { code, stderr } = await qmpctl(["apply", "web1", folder]);
    expect(code).toBe(2);
    expect(stderr).toContain(`expected qmpctl apply ${folder}, or one file: qmpctl apply web1 ${folder}/web1.json`);
  });

  test("of files with mistakes in them: what is in such files", async () => {
    await writeFile(join(folder, "web1.json"), "{");
    expect((await qmpctl(["apply", folder])).stderr).toMatch(
      /line \d.*; expected in each file an allocation \(qmpctl schema allocation\) or a config\n/,
    );
  });
});
