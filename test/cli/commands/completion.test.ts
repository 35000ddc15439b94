import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verbs } from "../../../src/cli/command.ts";
import { optionsOf } from "../../../src/cli/options.ts";
import { EVENTS, QUESTIONS } from "../../../src/cli/qmp-names.ts";
import { ORDERS } from "../../../src/cli/top/view.ts";
import { isWords, KINDS_OF_VALUES, valuesOfKind } from "../../../src/cli/values.ts";
import { statePaths } from "../../../src/config/runtime.ts";
import { writeEnds } from "../../../src/domain/ends/record.ts";
import { likelyKey } from "../../../src/domain/machine/lock.ts";
import { placeOf } from "../../../src/domain/machine/place.ts";
import { KINDS } from "../../../src/domain/resources/kinds.ts";
import { Outcomes } from "../../../src/remote/outcomes.ts";
import { configText } from "../../config/fixtures.ts";
import { ownFolders } from "../../config/folder.ts";
import { program } from "../program.ts";
import { bashInTerminal, fishInTerminal, lineIn, zshInTerminal } from "../pty.ts";
import { play, reportOf } from "../scene.ts";
import { recorded } from "../shell/schemas.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  await chmod(folder, 0o700);
  await symlink(program, join(folder, "qmpctl"));
  for (const name of ["web1", "web2"]) {
    const memory = ["-device", "pc-dimm,id=dimm1,memdev=r1", "-device", "virtio-mem-pci,id=vm0,memdev=r2"];
    const numa = ["-numa", "node,nodeid=0", "-numa", "node,nodeid=1"];
    const disks = ["-drive", "if=none,id=d0,file=/x", "-device", "virtio-blk-pci,drive=d0,id=disk0", "-device", "ide-cd,id=cd0"];
    const threads = {
      args: ["-object", "iothread,id=io0", ...memory, ...numa, ...disks],
      memory: { max: "1GiB", current: "512MiB", hotplug: { slots: 4, limit: "4GiB" } },
      threads: { iothreads: { io9: "0" } },
      disks: { throttle: { disk0: { iops: 100, group: "both" } } },
    };
    const text = configText({ name, vcpus: { max: 3, current: 1 }, ...(name === "web2" ? threads : {}) });
    await writeFile(join(folder, `${name}.json`), text, { mode: 0o600 });
  }
  await writeFile(join(folder, "torn.json"), "{", { mode: 0o600 });
  await writeFile(join(folder, "a file"), "");
});
afterAll(() => rm(folder, { recursive: true }));

/** What can follow: the last word is the one that is being typed. */
async function next(...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await play(["__complete", ...words], { env: { QMPCTL_CONFIG_DIR: folder } });
  expect([code, stderr]).toEqual([0, ""]);
  return stdout.split("\n").slice(0, -1);
}

describe("a line goes on with", () => {
  const cpus = ["all", ...Array.from({ length: availableParallelism() }, (_, cpu) => String(cpu))];
  test.each<[string, readonly string[]]>([
    ["setm", ["setmem", "setmaxmem"]],
    ["--vers", ["--version"]],
    ["info ", ["torn", "web1", "web2"]],
    ["info we", ["web1", "web2"]],
    ["dominfo we", ["web1", "web2"]],
    ["status we", ["web1", "web2"]],
    ["info ./", [":files"]],
    ["setmem web1 ", ["128MiB", "256MiB", "512MiB", "1GiB"]],
    ["setmem --size ", []],
    ["setmem --domain=web1 5", ["512MiB"]],
    ["setmem web1 --size=5", ["--size=512MiB"]],
    ["setmem web1 1G --timeout=1", ["--timeout=10s", "--timeout=1m", "--timeout=1h"]],
    ["setmem web1 1G --on-failure=", ["--on-failure=undo", "--on-failure=keep"]],
    ["setmem web1 1G --nothing=", []],
    ["setmem --domain web1 --size 5", ["512MiB"]],
    ["plugmem web1 ", []],
    ["plugmem web2 ", ["128MiB", "256MiB", "512MiB", "1GiB", "2GiB", "3GiB"]],
    ["plugmem web2 1G --node ", ["0", "1"]],
    ["setmaxmem web1 512", ["512MiB"]],
    ["blockresize web2 disk0 ", []],
    ["setcpu web1 --quota n", ["none"]],
    ["setcpu web1 --weight 1", ["100"]],
    ["blkdeviotune web2 ", ["disk0", "cd0"]],
    ["blkdeviotune web2 disk0 iops-s", ["iops-size="]],
    ["blkdeviotune web2 disk0 iops=100,bps-wr-max-", ["iops=100,bps-wr-max-length="]],
    ["blkdeviotune web2 disk0 iops=100,iops=", []],
    ["blkdeviotune web2 disk0 no", ["none"]],
    ["blkdeviotune web2 disk0 --bps 10", ["10MiB", "100MiB"]],
    ["blkdeviotune web2 disk0 --iops 50", ["500", "5000"]],
    ["blkdeviotune web2 disk0 --group ", ["both"]],
    ["change-media web2 ", ["cd0"]],
    ["change-media web2 cd0 ", [":files"]],
    ["change-media web2 cd0 x --format q", ["qcow2"]],
    ["setvcpu web1 0 --among ", ["0", "1", "2"]],
    ["events web1 SHUT", ["SHUTDOWN"]],
    ["events web1 STOP RESU", ["RESUME"]],
    ["qmp web1 query-st", ["query-status"]],
    ["schema rep", ["report"]],
    ["man vcpui", ["vcpuinfo"]],
    ["serve --verbs info,setma", ["info,setmaxmem"]],
    ["serve --domains web1,", ["web1,torn", "web1,web2"]],
    ["metrics --write ", [":files"]],
    ["top --sort ", ORDERS],
    ["setmem torn ", []],
    ["setmem web1 --dr", ["--dry-run"]],
    ["setvcpus web1 ", ["1", "2", "3"]],
    ["setvcpus torn ", []],
    ["setvcpus nobody ", []],
    ["vcpupin web1 ", ["0", "1", "2"]],
    ["vcpupin web1 0 ", cpus],
    ["vcpupin web1 0 1 ", []],
    ["iothreadpin web2 ", ["io0", "io9"]],
    ["iothreadpin web2 io0 ", cpus],
    ["iothreadadd torn ", []],
    ["setvcpu web1 ", ["0", "1", "2"]],
    ["unplugmem web2 ", ["dimm1"]],
    ["detach web2 ", ["dimm1", "vm0", "disk0", "cd0"]],
    // The option of that name of another verb is none of this one.
    ["setmem web2 1G --device ", ["vm0"]],
    ["plugmem web2 1G --id ", []],
    ["persist web1 guest", []],
    ["vcpusched web1 0 ", ["other", "batch", "idle", "fifo:1", "rr:1"]],
    ["vcpupin --domain web1 --vcpu ", ["0", "1", "2"]],
    ["vcpupin --cpulist ", cpus],
    ["setvcpus --domain web1 ", ["1", "2", "3"]],
    ["setvcpus --count 2 ", ["torn", "web1", "web2"]],
    ["--timeout 1", ["10s", "1m", "1h"]],
    ["define --name ", []],
    ["--timeout 5s setv", ["setvcpus", "setvcpu"]],
    ["--timeout = 5s info we", ["web1", "web2"]],
    ["setmem web1 1G --on-failure ", ["undo", "keep"]],
    ["setmem --on-failure k", ["keep"]],
    ["qmp web1 --monitor w", ["watch"]],
    ["list -o ", ["json"]],
    ["list ", []],
    ["define ", [":files"]],
    ["define -- ", [":files"]],
    ["apply web1 ", [":files"]],
    ["apply we", ["web1", "web2", ":files"]],
    ["revert web1 ", KINDS.flatMap(({ resource, revert }) => (revert === null ? [] : [resource]))],
    ["persist web1 max", ["max-memory", "max-vcpus"]],
    ["revert web1 memory ", []],
    ["recover web1 ", ["--finish", "--undo", "--forget"]],
    ["start web1 ", []],
    ["completion ", ["bash", "fish", "zsh"]],
    ["help vcpui", ["vcpuinfo"]],
    ["help info ", []],
    ["reboot ", []],
    ["constructor ", []],
  ])("%j", async (line, words) => expect(await next(...line.split(" "))).toEqual(words));

  test("an option of each verb, and no word that is there for habits only", async () => {
    const options = await next("setmem", "--");
    expect(options).toEqual(expect.arrayContaining(["--static", "--live", "--json", "--help", "--timeout"]));
    expect(options).not.toContain("--kilobytes");
    expect(await next("")).toEqual(expect.arrayContaining(["setmem", "help", "version"]));
  });
});

test("define --pid goes on with the QEMUs that run, and with no other process", async () => {
  const qemu = spawn("sleep", ["600"], { argv0: "/usr/bin/qemu-system-x86_64", stdio: "ignore" });
  const other = spawn("sleep", ["600"], { argv0: "/usr/bin/tail", stdio: "ignore" });
  try {
    await Promise.all([qemu, other].map((child) => once(child, "spawn")));
    const pids = await next("define", "--pid", "");
    expect(pids).toContain(String(qemu.pid));
    expect(pids).not.toContain(String(other.pid));
  } finally {
    for (const child of [qemu, other]) child.kill();
  }
});

/** Values that are anybody's: nothing can be offered for them. */
const FREE: Readonly<Record<string, string>> = {
  ARGUMENT: "of a command of QMP; the shell on the monitor completes them",
  N: "any number",
  TEXT: "a part of any name",
  PATTERN: "what is on a guest's console nobody knows before",
  NAME: "a new name",
  "NEW-ID": "a new name",
  "DISK-SIZE": "a TAB looks into no image",
};

test("every value of every verb is completed, or is anybody's", async () => {
  const loaded = await Promise.all(Object.values(verbs).map(async (load) => (await load()).verb));
  const kinds = loaded.flatMap((verb) => [
    ...verb.operands.names.map(
      (name) => verb.operands.kinds?.[name] ?? (name === verb.operands.names.at(-1) && verb.operands.words ? "DOMAIN" : name),
    ),
    ...Object.values(optionsOf(verb)).flatMap(({ value, kind, hidden }) => (value === undefined || hidden === true ? [] : [kind ?? value])),
  ]);
  const isOffered = (kind: string): boolean => Object.hasOwn(KINDS_OF_VALUES, kind) || isWords(kind);
  expect([...new Set(kinds.filter((kind) => !isOffered(kind)))].toSorted()).toEqual(Object.keys(FREE).toSorted());
  expect(Object.keys(KINDS_OF_VALUES).filter((kind) => !kinds.includes(kind))).toEqual([]);
});

test("times and moments that are offered are taken, as an end of a change too", async () => {
  const domain = { change: async () => reportOf(), setMemory: async () => reportOf() };
  const none = { isElsewhere: false, names: async () => [], config: async () => undefined, ends: async () => [], outcomes: async () => [] };
  for (const [kind, option] of [
    ["TIME", "--timeout"],
    ["TIME", "--for"],
    ["MOMENT", "--until"],
  ] as const)
    for (const value of await valuesOfKind(kind, { typed: "", domain: undefined, domains: none, verbs: [] }))
      expect(await play(["setmem", "web1", "1G", "--live", option, value], { domain }), value).toMatchObject({ code: 0 });
});

test("events and questions are those of real QEMUs", async () => {
  const schema = (await recorded("10.0.13")) as readonly { readonly name: string; readonly "meta-type": string }[];
  const named = (type: string): readonly string[] => schema.filter((each) => each["meta-type"] === type).map(({ name }) => name);
  expect(EVENTS.filter((name) => !named("event").includes(name))).toEqual([]);
  expect(QUESTIONS.filter((name) => !named("command").includes(name))).toEqual([]);
});

/** How each shell is asked what it would offer for words, as a user's own TAB would. */
const SHELLS: Readonly<Record<string, (script: string, words: readonly string[]) => readonly string[]>> = {
  bash: (script, words) => [
    "-c",
    `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}; _qmpctl; printf '%s\\n' "\${COMPREPLY[@]}"`,
    "bash",
    ...words,
  ],
  zsh: (script, words) => [
    "-fc",
    `compdef() { :; }\n_files() { print -l -- *(N); }\ncompadd() { shift; print -l -- "$@"; }\n${script}\nwords=("$@"); CURRENT=$#; _qmpctl`,
    "zsh",
    ...words,
  ],
  fish: (script, words) => ["-Nc", `${script}\ncomplete -C ${JSON.stringify(words.join(" "))} | string replace -r '\\t.*' ''`],
};

const installed = Object.keys(SHELLS).filter((shell) => spawnSync(shell, ["-c", "true"]).status === 0);

test("bash is there to be asked", () => expect(installed).toContain("bash"));

describe.each(installed)("%s", (shell) => {
  const offered = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { stdout: script } = await play(["completion", shell]);
    const env = {
      PATH: `${folder}:${process.env["PATH"] ?? ""}`,
      HOME: folder,
      QMPCTL_CONFIG_DIR: folder,
      NODE_DISABLE_COMPILE_CACHE: "1",
    };
    const argv = SHELLS[shell]?.(script, ["qmpctl", ...words]) ?? [];
    return spawnSync(shell, argv, { env, cwd: folder, encoding: "utf8" }).stdout.split("\n").filter(Boolean).toSorted();
  };

  test("offers verbs, domains, options and numbers", async () => {
    expect(await offered("setm")).toEqual(["setmaxmem", "setmem"]);
    expect(await offered("info", "we")).toEqual(["web1", "web2"]);
    expect(await offered("setmem", "web1", "--dr")).toEqual(["--dry-run"]);
    expect(await offered("vcpupin", "web1", "")).toEqual(["0", "1", "2"]);
  });

  test("offers files where a file belongs, and nowhere else", async () => {
    expect((await offered("apply", "web1", "")).map((each) => each.replaceAll("\\", ""))).toEqual(
      expect.arrayContaining(["a file", "web1.json"]),
    );
    expect(await offered("setmem", "web1", "")).toEqual(["128MiB", "1GiB", "256MiB", "512MiB"]);
    expect(await offered("info", "a")).toEqual([]);
  });
});

const TERMINALS = { bash: bashInTerminal, zsh: zshInTerminal, fish: fishInTerminal };

test.each(installed)("a real %s puts in values, and waits behind an = for more", { timeout: 60_000 }, async (shell) => {
  const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, HOME: folder, QMPCTL_CONFIG_DIR: folder };
  await using terminal = await TERMINALS[shell as keyof typeof TERMINALS](env);
  expect(await lineIn(terminal, "qmpctl setmem web1 51")).toBe("qmpctl setmem web1 512MiB ");
  expect(await lineIn(terminal, "qmpctl blkdeviotune web2 disk0 bps-wr-max-l")).toBe("qmpctl blkdeviotune web2 disk0 bps-wr-max-length=");
});

test("another shell is a usage mistake", async () =>
  expect(await play(["completion", "tcsh"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("only for bash, zsh and fish") as string,
  }));

test("the keys of changes with an end, and of those whose outcome is kept here", async () => {
  const own = await ownFolders();
  const env = { QMPCTL_CONFIG_DIR: own.config, QMPCTL_RUNTIME_DIR: own.runtime, QMPCTL_STATE_DIR: own.state };
  for (const path of [own.config, own.state]) await mkdir(path, { mode: 0o700 });
  await writeFile(join(own.config, "web1.json"), configText(), { mode: 0o600 });
  const place = await placeOf("web1", { env });
  const books = statePaths(place.folders, await likelyKey(place));
  await mkdir(dirname(books.ends), { recursive: true, mode: 0o700 });
  const [due, machine, timer] = ["2026-11-27T07:00:00.000Z", { pid: 7, started: 1 }, { tool: "at", job: "1", key: "1" } as const];
  const end = { key: "0123456789ab", due, since: due, timer, force: false, machine, boot: "b", items: [], threads: [], own: [] };
  await writeEnds(books, { ends: [end], last: null });
  const key = "2f1c7e0a-5b7e-4f0e-9d55-0d8f0a4d7c11";
  const signal = AbortSignal.timeout(60_000);
  await new Outcomes(own.state).once({ key, domain: "web1", request: {}, signal, patience: 1000, run: async () => null });
  const offered = async (...words: readonly string[]): Promise<string> => (await play(["__complete", ...words], { env })).stdout;
  expect(await offered("revert", "web1", "--end", "")).toBe("0123456789ab\n");
  expect(await offered("revert", "nobody", "--end", "")).toBe("");
  expect(await offered("outcome", "2f")).toBe(`${key}\n`);
});
