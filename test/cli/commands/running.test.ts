import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { adopted, imported, running } from "../../../src/cli/schema/running.ts";
import type { ImportSource } from "../../../src/domain/lifecycle/import/import-source.ts";
import type { Adoption } from "../../../src/domain/lifecycle/running/adopt.ts";
import { adviceFor } from "../../../src/domain/lifecycle/running/advice.ts";
import type { RunningQemu } from "../../../src/domain/lifecycle/running/running-qemu.ts";
import { faultOf } from "../../../src/shape.ts";
import { fakes } from "../../remote/fleet/crew-of-fakes.ts";
import { play } from "../scene.ts";

const NOBODYS = { uuid: null, keeper: null, keptAs: null, proofs: [], isSure: true, monitors: [] } as const;

function qemu(it: Partial<RunningQemu> & { readonly pid: number }): RunningQemu {
  const seen = { uid: 0, user: "root", name: "web1", can: "adopt", ...NOBODYS, ...it } as const;
  return { ...seen, advice: adviceFor(seen) };
}

const ALL: readonly RunningQemu[] = [
  qemu({
    pid: 812,
    keeper: "qmpctl",
    keptAs: "web1",
    can: "domain",
    proofs: ["its config"],
    monitors: [{ address: "unix:/a", state: "free", holders: [] }],
  }),
  qemu({ pid: 4711, name: "mail", monitors: [{ address: "unix:/run/mail.sock", state: "free", holders: [] }] }),
  qemu({ pid: 4712, name: null, programUnseen: true }),
  qemu({ pid: 4713, name: "db", monitors: [{ address: "tcp:127.0.0.1:4444", state: "held", holders: [99] }] }),
  qemu({ pid: 4714, name: "gone", monitors: [{ address: "unix:/x", state: "unseen", holders: [] }] }),
  qemu({ pid: 5000, uid: 1000, user: "ann", name: "dev", can: "another-users" }),
  qemu({ pid: 6000, name: "lv", keeper: "libvirt", keptAs: "lv", can: "force", proofs: ["the pidfile /run/libvirt/qemu/lv.pid"] }),
  qemu({
    pid: 6001,
    name: "px",
    keeper: "proxmox",
    keptAs: "101",
    can: "force",
    isSure: false,
    proofs: ["its command line alone: -id 101"],
  }),
  qemu({
    pid: 6002,
    name: "c",
    keeper: "container",
    keptAs: "docker 0123456789ab",
    can: "force",
    proofs: ["the control group /docker/0123"],
  }),
];

describe("list --running", () => {
  test("shows what can be done with each, in 80 columns", async () => {
    const { code, stdout } = await play(["list", "--running"], {
      facade: { running: async () => ALL },
      columns: 80,
      env: { NO_COLOR: "1" },
    });
    expect(code).toBe(0);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toBe(`\
 pid  user  name  kept by    QMP     what can be done
 812  root  web1  qmpctl     free    it is the domain web1
4711  root  mail  nobody     free    adopt it: define --pid 4711
4712  root  -     nobody     none    adopt it: define --pid 4712 --name
                                     qemu-4712; that it is a QEMU is only what
                                     its command line says; it has no QMP
                                     monitor until its next start
4713  root  db    nobody     held    adopt it: define --pid 4713; its monitor is
                                     held by process 99
4714  root  gone  nobody     unseen  adopt it: define --pid 4714; nobody is seen
                                     to listen at its monitor
5000  ann   dev   nobody     none    another user's: qmpctl as ann adopts it
6000  root  lv    libvirt    none    libvirt manages it, as lv; import libvirt
                                     lv takes it over once it is off there
6001  root  px    Proxmox?   none    Proxmox may manage it, as 101, as its
                                     command line alone: -id 101 says; import
                                     proxmox 101 takes it over once it is off
                                     there
6002  root  c     container  none    it is in a container (docker 0123456789ab);
                                     run qmpctl inside it
`);
  });

  test("tells a program the same that the library does, by its schema", async () => {
    const { stdout } = await play(["list", "--running", "--json"], { facade: { running: async () => ALL } });
    expect(JSON.parse(stdout)).toEqual(ALL);
    expect(faultOf(running, JSON.parse(stdout))).toBeUndefined();
  });

  test("says that there is none, and takes no --all", async () => {
    const facade = { running: async () => [] };
    expect(await play(["list", "--running"], { facade })).toMatchObject({ code: 0, stdout: "", stderr: "no QEMU is seen to run\n" });
    expect(await play(["list", "--running", "--all"], { facade })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--all and --running") as string,
    });
  });

  test("of many hosts is one table", async () => {
    const { code, stdout } = await play(["-H", "kvm[1,2]", "list", "--running"], {
      crew: fakes({ kvm1: { web1: {} }, kvm2: { db1: {} } }).crew,
    });
    expect([code, stdout]).toEqual([
      0,
      `\
at    pid  user  name  kept by  QMP   what can be done
kvm1    1  root  web1  nobody   none  adopt it: define --pid 1
kvm2    1  root  db1   nobody   none  adopt it: define --pid 1
`,
    ]);
  });
});

describe("define --running", () => {
  const done = { pid: 1, name: "web1", outcome: "adopted", path: "/etc/qmpctl/web1.json", notes: ["-S: dropped"] } as const;
  const left = { pid: 2, name: "lv", outcome: "left", why: "libvirt manages it, as lv", notes: [] } as const;
  const refused = { pid: 3, name: "a b", outcome: "refused", why: `"a b" can't be a domain's name`, notes: [] } as const;
  const failed = { pid: 4, name: "x", outcome: "failed", why: "EIO", notes: [] } as const;

  test.each<readonly [string, readonly Adoption[], number]>([
    ["none to adopt", [], 0],
    ["all adopted; what others keep was not asked for", [done, left], 0],
    ["a part of them refused", [done, refused], 1],
    ["all refused: nothing was touched", [refused, left], 3],
    ["one that failed", [failed], 1],
    ["a dry run that finds one refused", [{ ...done, outcome: "planned" }, refused], 3],
  ])("ends with its code: %s", async (_, all, code) => {
    expect((await play(["define", "--running"], { facade: { adopt: async () => all } })).code).toBe(code);
  });

  test("tells of each, and its notes; hands on what it was told", async () => {
    const asked: unknown[] = [];
    const facade = { adopt: async ({ signal: _, ...how }: object & { readonly signal?: AbortSignal }) => (asked.push(how), [done, left]) };
    const { stdout } = await play(["define", "--running", "--force", "--dry-run"], { facade });
    expect(asked).toEqual([{ force: true, dryRun: true }]);
    expect(stdout).toBe(`\
pid  name  outcome  why, or its config
  1  web1  adopted  /etc/qmpctl/web1.json
  2  lv    left     libvirt manages it, as lv
note: web1: -S: dropped
`);
    const json = JSON.parse((await play(["define", "--running", "--json"], { facade })).stdout) as unknown;
    expect([json, faultOf(adopted, json)]).toEqual([[done, left], undefined]);
  });

  test.each([
    [["--running", "--pid", "1"], "--running: is of all of them, and --pid of one"],
    [["--running", "web1.json"], "--running: is of all of them, and web1.json of one"],
    [["web1.json", "--dry-run"], "--dry-run: is of --running"],
  ])("%j is refused", async (words, why) => {
    expect(await play(["define", ...words])).toMatchObject({ code: 2, stderr: expect.stringContaining(why) as string });
  });
});

describe("import", () => {
  const CONFIG = '{\n  "name": "web1"\n}\n';
  const made = { name: "web1", path: "/etc/qmpctl/web1.json", config: CONFIG, notes: ["-S: dropped"] };

  async function asked(...words: readonly string[]): Promise<unknown> {
    let seen: unknown;
    const facade = {
      takeOver: async (source: ImportSource, { signal: _, ...how }: { readonly signal?: AbortSignal }) => ((seen = [source, how]), made),
    };
    const { code, stderr } = await play(["import", ...words], { facade, stdin: Readable.from(["kvm -m 1\n"]) });
    return code === 0 ? seen : [code, stderr.split("\n")[0]];
  }

  test("asks for what was typed", async () => {
    const none = { replace: false, force: false, dryRun: false };
    expect(await asked("libvirt", "web1", "--connect", "qemu:///session", "--name", "w", "--force")).toEqual([
      { from: "libvirt", name: "web1", connect: "qemu:///session" },
      { name: "w", ...none, force: true },
    ]);
    expect(await asked("proxmox", "101", "--dry-run", "--replace")).toEqual([
      { from: "proxmox", id: "101" },
      { ...none, dryRun: true, replace: true },
    ]);
    expect(await asked("proxmox", "--from-file", "-")).toEqual([{ from: "proxmox", text: "kvm -m 1\n", file: "standard input" }, none]);
  });

  test.each([
    [["kvm", "web1"], "kvm: nobody to import from; expected libvirt or proxmox"],
    [["libvirt"], "import libvirt: the machine is missing; expected libvirt NAME, libvirt --xml FILE, proxmox ID, or --from-file FILE"],
    [["libvirt", "web1", "--from-file", "-"], "import libvirt: more than one source"],
    [["proxmox", "--xml", "x"], "--xml: is of libvirt"],
    [["proxmox", "101", "--connect", "x"], "--connect: is of libvirt"],
    [["libvirt", "--from-file", "-", "-c", "x"], "--connect: says nothing of a file that the converter printed"],
  ])("%j is refused", async (words, why) => expect(await asked(...words)).toEqual([2, expect.stringContaining(why)]));

  test("says where the domain is, or shows the config of a dry run", async () => {
    const facade = { takeOver: async () => made };
    expect((await play(["import", "libvirt", "web1"], { facade })).stdout).toBe(
      "web1: defined in /etc/qmpctl/web1.json\nnote: -S: dropped\n",
    );
    const dry = { takeOver: async () => ({ ...made, path: null }) };
    expect((await play(["import", "libvirt", "web1", "--dry-run"], { facade: dry })).stdout).toBe(`${CONFIG}note: -S: dropped\n`);
    const json = JSON.parse((await play(["import", "libvirt", "web1", "--json"], { facade })).stdout) as unknown;
    expect([json, faultOf(imported, json)]).toEqual([{ ...made, config: { name: "web1" } }, undefined]);
  });
});
