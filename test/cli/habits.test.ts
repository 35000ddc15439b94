import { describe, expect, test } from "vitest";
import { aliases } from "../../src/cli/aliases.ts";
import { verbs as loaders } from "../../src/cli/command.ts";
import { wayOfOption, wayOfVerb } from "../../src/cli/habits.ts";
import { optionsOf } from "../../src/cli/options.ts";
import { verbFirst } from "../../src/cli/verb-first.ts";
import type { Verb } from "../../src/cli/verb.ts";
import type { ChangeOptions } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { madeOf, play, type Played, reportOf } from "./scene.ts";

const verbs: readonly (readonly [string, Verb])[] = await Promise.all(
  Object.entries(loaders).map(async ([name, load]) => [name, (await load()).verb] as const),
);
const named = new Map(verbs);

/** A command line with a change in it, and what it asks of the library. */
async function asked(
  ...argv: readonly string[]
): Promise<Played & { readonly change: Change | undefined; readonly options: Partial<ChangeOptions> }> {
  let [change, options]: [Change | undefined, Partial<ChangeOptions>] = [undefined, {}];
  const played = await play(argv, {
    domain: {
      change: async (...given) => {
        [change, options] = [madeOf(given[0] as Change), given[1]];
        return reportOf();
      },
    },
  });
  return { ...played, change, options };
}

describe("F1: the lines of 2007", () => {
  const memory = { resource: "memory", size: 500 * 2 ** 20 };
  test.each<[string, string]>([
    ["--static setmem web1 500M", "static"],
    ["--static --dynamic setmem web1 500M", "both"],
    ["--dynamic setmem web1 500M", "dynamic"],
    ["setmem web1 500M --perm", "both"],
    ["setmem web1 500M --permanent", "both"],
    ["--perm setmem web1 500M", "both"],
    ["setmem web1 500M --both", "both"],
    ["setmem web1 500M", "current"],
    ["--config setmem --live web1 500M", "both"],
    ["--current setmem web1 500M", "current"],
    ["setmem --domain web1 --size 500M --config --live", "both"],
    ["--domain web1 --size 500M setmem --static", "static"],
    ["setmem web1 --kilobytes 512000 --config", "static"],
  ])("%s", async (line, scope) => {
    expect(await asked(...line.split(" "))).toMatchObject({ code: 0, opened: ["web1"], change: memory, options: { scope } });
  });

  test("options with values, before the verb as after it", async () => {
    const { options } = await asked(..."--timeout 5s --on-failure keep --undo-timeout=2s setmem --dry-run web1 500M".split(" "));
    expect(options).toMatchObject({ timeout: 5000, undoTimeout: 2000, onFailure: "keep", dryRun: true });
  });

  test("--perm beside --current is refused", async () =>
    expect(await asked("--perm", "setmem", "web1", "500M", "--current")).toMatchObject({ code: 2, opened: [] }));
});

describe("options before the verb", () => {
  const isVerb = (word: string): boolean => named.has(word);
  const inFront = (...argv: readonly string[]): Promise<readonly string[]> =>
    verbFirst(argv, [...named.values()], isVerb, async (name) => wayOfOption("", name));
  const all = verbs.flatMap(([name, verb]) =>
    Object.entries(optionsOf(verb)).map(([option, { value, short }]) => ({ name, option, value, short })),
  );

  test.each(all)("--$option of $name", async ({ name, option, value, short }) => {
    const words = value === undefined ? [] : ["5s"];
    for (const spelled of [`--${option}`, ...(short === undefined ? [] : [`-${short}`])]) {
      expect(await inFront(spelled, ...words, name, "web1", "--json")).toEqual([name, spelled, ...words, "web1", "--json"]);
      if (value !== undefined) await expect(inFront(spelled, name, "web1")).rejects.toThrow(`${spelled}: a value is missing`);
    }
    expect(await inFront("--json", `--${option}=x`, name)).toEqual([name, "--json", `--${option}=x`]);
  });

  test("no option is a flag of one verb and takes a value of another: which word is the verb could not be told", () => {
    const kinds = new Map<string, Set<boolean>>();
    for (const { option, value } of all) kinds.set(option, (kinds.get(option) ?? new Set()).add(value !== undefined));
    expect([...kinds].filter(([, kind]) => kind.size > 1)).toEqual([]);
  });
});

/** Verbs and what they are given, as people type them elsewhere. */
const READING = [
  "dominfo",
  "domstate --reason",
  "domid",
  "domuuid",
  "domname",
  "vcpucount --maximum --live",
  "status",
  "describe",
  "inspect",
  "show",
];

describe("F2: verbs of others", () => {
  test.each(READING)("%s WEB1 shows what info shows", async (line) => {
    const [verb = "", ...flags] = line.split(" ");
    const domain = { info: async () => ({ name: "web1", state: "stopped", configPath: "/p/web1.json", transient: false }) as never };
    const info = await play(["info", "web1"], { domain });
    expect(await play([verb, "web1", ...flags], { domain })).toEqual(info);
    expect(await play([verb, "--domain", "web1", ...flags], { domain })).toEqual(info);
    expect(info.code).toBe(0);
  });

  test("dommemstat shows and changes what memstat does, with the flags of virsh", async () => {
    const memory = async () => ({ name: "web1", state: "stopped", balloon: null, guest: null }) as const;
    const shown = await play(["memstat", "web1"], { domain: { memory } });
    expect(shown).toMatchObject({ code: 0, stdout: "web1 is stopped\n" });
    expect(await play(["dommemstat", "web1", "--human"], { domain: { memory } })).toEqual(shown);
    const asked: unknown[] = [];
    const change = async (...given: readonly [unknown, { readonly scope?: unknown }]) => (asked.push(given[0], given[1].scope), reportOf());
    await play(["dommemstat", "web1", "--period", "10", "--live", "--config"], { domain: { change } });
    expect(asked).toEqual([{ resource: "memory-period", seconds: 10 }, "both"]);
  });

  test("domstats shows what stats does, whatever group is asked for", async () => {
    const stats = async () =>
      ({ name: "web1", state: "paused", at: "", vcpus: [], memory: { current: 1, max: 1 }, disks: [], nets: [] }) as never;
    const shown = await play(["stats", "web1"], { domain: { stats } });
    expect(shown).toMatchObject({ code: 0, stdout: "web1 is paused\nmemory: 1B of 1B\n" });
    expect(await play(["domstats", "web1", "--balloon", "--vcpu", "--block"], { domain: { stats } })).toEqual(shown);
  });

  test("dumpxml prints the config, ls and ps list", async () => {
    expect(await play(["dumpxml", "web1", "--inactive"], { domain: { config: async () => "{}" } })).toMatchObject({
      code: 0,
      stdout: "{}\n",
    });
    for (const verb of ["ls", "ps"]) {
      const asked: unknown[] = [];
      expect(await play([verb, "-a"], { facade: { list: async ({ all }) => (asked.push(all), []) } })).toMatchObject({ code: 0 });
      expect(asked).toEqual([true]);
    }
  });

  test("an alias is of a verb that there is, and ends, starts or deletes nothing", () => {
    for (const [name, { verb, adds = [] }] of Object.entries(aliases)) {
      expect(named.has(name), name).toBe(false);
      expect(["info", "config", "list", "diff", "memstat", "stats", "suspend", "resume", "qmp", "setmem"]).toContain(verb);
      for (const option of adds) expect(Object.keys(named.get(verb)?.options ?? {})).toContain(option.slice(2));
    }
  });

  const ELSEWHERE =
    "stop reboot poweroff halt kill create delete rm get set logs console terminal enable disable domblkstat domiflist domifaddr nodeinfo nodememstats attach-disk detach-device migrate snapshot-create sendkey send-key screenshot qemu-agent-command event qemu-monitor-event net-list uri connect power-off mem memory scale ttyconsole journalctl mask is-active try-restart wait rollback update-device resize unlock iothreadinfo restore".split(
      " ",
    );

  test.each(ELSEWHERE)("%s is answered by one line with the way, and the domain in it", async (verb) => {
    const { code, stdout, stderr, opened } = await play([verb, "a b"]);
    expect([code, stdout, opened]).toEqual([2, "", []]);
    expect(stderr).toMatch(new RegExp(`^qmpctl: ${verb}: there is no such verb here: [^\\n]+\\n$`));
    if (stderr.includes("a b")) expect(stderr).toContain("'a b'");
    if (stderr.includes("`")) expect(stderr).not.toContain("DOMAIN");
  });

  test("a word for the kind of thing before the name, as kubectl has it, is not the domain", async () => {
    expect((await play(["get", "domains"])).stderr).toContain("`qmpctl info DOMAIN`");
    for (const kind of ["vm", "domain", "pods"]) expect((await play(["get", kind, "web1"])).stderr).toContain("`qmpctl info web1`");
    expect((await play(["delete", "vm"])).stderr).not.toContain("undefine vm");
    const domain = { info: async () => ({ name: "web1", state: "stopped", configPath: "/p/web1.json", transient: false }) as never };
    expect(await play(["describe", "vm", "web1"], { domain })).toEqual(await play(["info", "web1"], { domain }));
    expect((await play(["describe", "vm"], { domain })).opened).toEqual(["vm"]);
    expect((await play(["describe", "vm", "vm"], { domain })).opened).toEqual(["vm"]);
  });

  test("what is restored from is a file, and not taken for a domain", () => expect(wayOfVerb("restore", "/tmp/x")).not.toContain("/tmp/x"));

  test("a description names the file that it is written into", async () => {
    const env = { QMPCTL_CONFIG_DIR: "/proc/con fig" };
    expect((await play(["desc", "web1"], { env })).stderr).toContain("write it into '/proc/con fig/web1.json' with an editor");
    expect((await play(["desc", "/p/x.json"], { env })).stderr).toContain("write it into /p/x.json with an editor");
    expect((await play(["desc"], { env })).stderr).toContain("write it into that file with an editor");
  });

  test("what has a verb here is told by that verb, not by raw QMP", () => {
    for (const verb of ["domblkstat", "domifstat", "cpu-stats"]) expect(wayOfVerb(verb, "web1")).toContain("`qmpctl stats web1`");
    for (const verb of ["watch", "virt-top"]) expect(wayOfVerb(verb, undefined)).toContain("`qmpctl top`");
    expect(wayOfVerb("logs", "web1")).toContain("`qmpctl history web1`");
    expect(wayOfOption("stats", "watch", "web1")).toContain("`qmpctl top`");
    expect(wayOfOption("apply", "f")).toContain("`qmpctl apply FOLDER`");
  });

  test("reboot does not mean restart", () =>
    expect(wayOfVerb("reboot", "web1")).toMatch(/inside the guest.*reset web1.*restart web1.*from its config/));

  test("what a way tells to type is there", () => {
    for (const verb of ELSEWHERE) {
      for (const [, name = "", rest = ""] of (wayOfVerb(verb, undefined) ?? "").matchAll(/`?qmpctl ([a-z][a-z-]*)([^`;),]*)/g)) {
        expect(named.has(name), `${verb}: ${name}`).toBe(true);
        for (const [, option = ""] of rest.matchAll(/ --([a-z-]+)/g))
          expect(Object.keys(optionsOf(named.get(name) as Verb)), `${verb}: ${name}`).toContain(option);
      }
    }
  });

  test("a name that begins like one of ours, or like one of an object's, is none", () => {
    for (const name of ["setmemx", "htop", "constructor", "__proto__", "toString", ""]) expect(wayOfVerb(name, undefined)).toBeUndefined();
  });
});

describe("options of others", () => {
  test("-o json is --json, of every verb, and its errors are JSON too", async () => {
    for (const words of [["-o", "json"], ["-ojson"], ["--output=json"], ["--output", "json"]]) {
      expect((await play(["list", ...words], { facade: { list: async () => [] } })).stdout).toBe("[]\n");
      expect(JSON.parse((await play(["setmem", "web1", "300", ...words])).stdout)).toMatchObject({ error: { code: "usage" } });
    }
    expect(await play(["list", "-o", "yaml"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("-o yaml: answers are text or json") as string,
    });
  });

  test.each([
    ["-c qemu:///system list", "there is no libvirt here"],
    ["--connect=qemu:///system list --all", "there is no libvirt here"],
    ["list --connect qemu:///system", "there is no libvirt here"],
    ["undefine web1 --remove-all-storage", "remove disks and other files yourself"],
    ["shutdown web1 --mode acpi", "presses the power button"],
    ["shutdown web1 --force", "`qmpctl destroy web1` ends it"],
    ["destroy web1 --force", "leave it out"],
    ["list --inactive", "--all also lists stopped domains"],
    ["list -q", "stdout has the answer"],
    ["start web1 --console", "socat"],
    ["setmem web1 400M --persistent", "use --config for the next start"],
    ["setmem web1 400M --scope live", "--config, --live or --both"],
    ["setmem web1 400M --now", "leave it out"],
    ["shutdown web1 --now", "`qmpctl destroy web1`"],
    ["shutdown -r web1", "restart"],
    ["restart web1 --hard", "`qmpctl destroy web1`"],
    ["setmem web1 -m 400M", "`qmpctl setmem web1 SIZE`"],
    ["events web1 --event STOP", "`qmpctl events web1 SHUTDOWN`"],
    ["apply web1 -f x.json", "write files and folders as operands"],
  ])("%s: one line with the way", async (line, way) => {
    const { code, stdout, stderr, opened } = await play(line.split(" "));
    expect([code, stdout, opened]).toEqual([2, "", []]);
    expect(stderr).toMatch(/^qmpctl: --?[\w-]+: there is no such option here: [^\n]+\n$/);
    expect(stderr).toContain(way);
  });
});

describe("slips", () => {
  test.each([
    ["setmem web1 400 M", '"M": one operand too many, write 400M as one word'],
    ["setmem web1 400 GiB", "write 400GiB as one word"],
    ["qmp web1 info status", "write --hmp info status"],
    ["setmem web1 +100M", "not a difference"],
    ["setmem web1 50%", "not a percentage"],
    ["setmem web1 400M --timeout -1", '"-1": not a time'],
  ])("%s", async (line, way) => {
    const { code, stderr, opened } = await play(line.split(" "));
    expect([code, opened]).toEqual([2, []]);
    expect(stderr.split("\n")[0]).toContain(way);
  });

  test("a line for the human monitor in one word, too", async () => {
    expect(await play(["qmp", "web1", "info block"])).toMatchObject({
      code: 2,
      opened: [],
      stderr: expect.stringContaining("write --hmp info block") as string,
    });
  });

  test("a verb of no letters is shown", async () => expect((await play([""])).stderr).toContain('qmpctl: "": there is no such verb'));
});
