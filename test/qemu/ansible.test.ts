import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, type Hosts, missingForHosts, startHosts } from "../../scripts/lab/hosts.ts";
import { privateFolder } from "../../scripts/lab/machine.ts";
import { DOMAIN_OPTIONS } from "../../src/ansible/domain-options.ts";
import { program } from "../cli/program.ts";
import { until } from "./over-ssh.ts";

const run = promisify(execFile);

// The real ansible-core, over a real ssh, to hosts of their own on this machine. Each run of it takes a second before it begins, so a run
// has many tasks.
const missing = [...(await missingForHosts()), ...(await missingForAnsible())];
if (missing.length > 0)
  console.log(`no playbook can be run here: ${missing.join(", ")} missing; npm run testbed -- --install --hosts, as root`);

const MACHINE = [
  ...["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-m", "256M", "-smp", "2,maxcpus=4"],
  ...["-device", "virtio-balloon-pci,id=balloon0", "-device", "pcie-root-port,id=rp1,chassis=1,slot=1"],
  ...["-display", "none", "-nodefaults", "-no-user-config"],
];

/** What a task came to on one host. */
interface Result {
  readonly task: string;
  readonly host: string;
  readonly word: string;
  readonly answer: Readonly<Record<string, unknown>>;
}

interface Played {
  readonly code: number | null;
  readonly stdout: string;
  readonly results: readonly Result[];
  /** The answer of one task on one host. @throws Error when there is none */
  answer(task: string, host: Host): Readonly<Record<string, unknown>>;
}

describe.skipIf(missing.length > 0)("playbooks, by the real Ansible over a real ssh", () => {
  let hosts: Hosts;
  let folder: Awaited<ReturnType<typeof privateFolder>>;
  let env: Readonly<Record<string, string>>;
  let one: Host;
  let two: Host;
  beforeAll(async () => {
    [hosts, folder] = await Promise.all([startHosts(2), privateFolder("qmpctl-ansible-")]);
    [one, two] = hosts.all as [Host, Host];
    env = {
      ...{
        PATH: process.env["PATH"] ?? "",
        HOME: folder.path,
        LC_ALL: "C.UTF-8",
        ANSIBLE_NOCOLOR: "1",
        ANSIBLE_NOCOWS: "1",
        ANSIBLE_COLLECTIONS_PATH: folder.path,
      },
      // A connection that stays when Ansible has ended would outlive the test.
      ...{ ANSIBLE_SSH_ARGS: "-o ControlMaster=no", ANSIBLE_RETRY_FILES_ENABLED: "0" },
    };
    const common = { ansible_ssh_executable: hosts.ssh, ansible_node_interpreter: process.execPath };
    const inventory = {
      all: {
        hosts: {
          [one.name]: { ansible_pipelining: true },
          // As Ansible is without a word: the module is a file there, and has a terminal.
          [two.name]: { ansible_pipelining: false, ansible_ssh_transfer_method: "piped" },
        },
        vars: common,
      },
    };
    await writeFile(join(folder.path, "inventory.yml"), JSON.stringify(inventory));
    await run(process.execPath, [program, "ansible", "install", folder.path], { env });
  }, 60_000);
  afterAll(async () => {
    await hosts[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  /** Begins a playbook; JSON is YAML. */
  async function begin(
    plays: readonly object[],
    ...words: readonly string[]
  ): Promise<{ readonly pid: number; readonly ended: Promise<Played> }> {
    const path = join(folder.path, "play.yml");
    await writeFile(path, JSON.stringify(plays.map((play) => ({ hosts: "all", gather_facts: false, ...play }))));
    const args = ["-v", "-i", join(folder.path, "inventory.yml"), ...words, path];
    // In a group of its own, as a terminal has it.
    const child = spawn("ansible-playbook", args, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let stdout = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    const ended = once(child, "close").then(([code]) => playedOf(code as number | null, stdout));
    return { pid: child.pid as number, ended };
  }

  async function play(plays: readonly object[], ...words: readonly string[]): Promise<Played> {
    return (await begin(plays, ...words)).ended;
  }

  const domain = (name: string, given: object): object => ({ name, "qmpctl.qemu.domain": { name: "web1", ...given } });
  const configOf = (host: Host): Promise<string> => readFile(`${host.folder}/config/web1.json`, "utf8");
  /** The processes of a host that are of a task: none is to be left when it is over. */
  const left = async (host: Host): Promise<readonly string[]> =>
    (await host.exec("ps", "-eo", "args=")).split("\n").filter((line) => /node|ansible/i.test(line) && !/qemu-system|^sshd:/.test(line));
  const LARGER = { allocation: { vcpus: { current: "3", pin: { 1: 0 } }, memory: { max: 402653184 } } };

  test("define, start, and the second time nothing, one host after the other", { timeout: 60_000 }, async () => {
    const wanted = { command_line: MACHINE, state: "running", allocation: { vcpus: { pin: { 0: 0 } }, memory: { current: 268435456 } } };
    const tasks = [
      domain("first", wanted),
      domain("again", wanted),
      { name: "look", "qmpctl.qemu.domain_info": { name: "web*", gather: ["diff", "threads"] } },
    ];
    const played = await play([{ serial: 1, tasks }]);
    expect(played.code, played.stdout).toBe(0);
    expect(played.results.map(({ task, host, word }) => `${host} ${task} ${word}`)).toEqual(
      [one, two].flatMap(({ name }) => [`${name} first changed`, `${name} again ok`, `${name} look ok`]),
    );
    for (const host of [one, two]) {
      expect(played.answer("first", host)).toMatchObject({ actions: ["define", "apply", "start"], state: "running" });
      expect(played.answer("look", host)).toMatchObject({ domains: [{ name: "web1", state: "running", info: { live: { vcpus: 2 } } }] });
      const threads = await host.exec(
        "sh",
        "-c",
        `grep -h . $(grep -l 'CPU 0/' /proc/$(cat ${host.folder}/run/web1/pid)/task/*/comm | sed s/comm/status/)`,
      );
      expect(threads).toContain("Cpus_allowed_list:\t0\n");
    }
  });

  test("a check with differences tells them, and touches nothing", { timeout: 60_000 }, async () => {
    const before = await Promise.all([one, two].map(configOf));
    const tasks = [
      domain("change", { ...LARGER, scope: "static" }),
      domain("stop", { state: "stopped" }),
      domain("slip", { allocaton: {} }),
    ];
    const played = await play([{ tasks, ignore_errors: true }], "--check", "--diff");
    expect(played.stdout).toMatch(
      /-vcpus \(config\): 2\n.*-vcpu-pin 1 \(config\): all\n\+max-memory \(config\): 384MiB\n\+vcpus \(config\): 3\n/s,
    );
    expect(played.stdout).toContain("-state: running\n+state: stopped\n");
    for (const host of [one, two]) {
      expect(played.answer("change", host)).toMatchObject({ changed: true, outcome: "planned" });
      expect(played.answer("slip", host)).toMatchObject({ msg: "allocaton: there is no such option, did you mean allocation?" });
    }
    expect(await Promise.all([one, two].map(configOf))).toEqual(before);
  });

  test("a host that fails in the middle is undone, and the others are not begun", { timeout: 60_000 }, async () => {
    const before = await Promise.all([one, two].map(configOf));
    const allocation = {
      iothreads: { present: { io1: true } },
      devices: { present: { rng1: ["-device", "virtio-rng-pci,id=rng1,bus=rp1,max-bytes=many"] } },
    };
    const played = await play([{ serial: 1, max_fail_percentage: 0, tasks: [domain("change", { allocation })] }]);
    expect(played.code).toBe(2);
    expect(played.results.map(({ host, word }) => `${host} ${word}`)).toEqual([`${one.name} fatal`]);
    const answer = played.answer("change", one);
    expect(answer).toMatchObject({ changed: false, outcome: "rolled-back", error: { code: "rolled-back" }, exit_code: 1 });
    expect(answer["msg"]).toMatch(/^web1: .*max-bytes.*; everything is as it was$/);
    expect(answer["reports"]).toMatchObject([
      { report: { steps: [{ what: expect.stringContaining("io1") as string, outcome: "undone" }, {}] } },
    ]);
    expect(await Promise.all([one, two].map(configOf))).toEqual(before);
  });

  test(
    "Ansible that is ended in the middle: what has begun ends there as it should, and is known by its key",
    { timeout: 90_000 },
    async () => {
      // No guest is there to give memory back, so it is waited for until the deadline.
      const shrink = domain("shrink", { allocation: { memory: { current: "192MiB" } }, force: true, timeout: "5s" });
      const { pid, ended } = await begin([{ tasks: [shrink] }]);
      for (const host of [one, two])
        await until(async () => (await host.exec("sh", "-c", `ls ${host.folder}/state/@*/journal 2>/dev/null | wc -l`)).trim() === "1");
      process.kill(-pid, "SIGKILL");
      await ended;
      for (const host of [one, two]) await until(async () => (await configOf(host)).includes('"192MiB"'));
      for (const host of [one, two]) await until(async () => (await left(host)).length === 0);
      const look = { name: "look", "qmpctl.qemu.domain_info": { name: "web1", gather: ["outcomes", "diff"] } };
      const shrunk = { allocation: { memory: { current: "192MiB" } }, force: true, timeout: 2, on_pending: "accept" };
      const played = await play([
        { tasks: [look, domain("accepted", shrunk), domain("again", { allocation: { memory: { current: "256MiB" } } })] },
      ]);
      for (const host of [one, two]) {
        const { outcomes, info } = played.answer("look", host) as { outcomes: readonly { key: string }[]; info: object };
        expect([outcomes[0], info]).toMatchObject([{ state: "done" }, { config: { memory: 192 * 2 ** 20 } }]);
        const { stdout } = await run(process.execPath, [program, "-H", host.name, "outcome", outcomes[0]?.key ?? ""], {
          env: { ...env, QMPCTL_SSH: hosts.ssh },
        }).catch((error: { readonly stdout: string }) => error);
        expect(stdout).toMatch(/memory\s+static\s+256MiB -> 192MiB\s+192MiB\s.*applied/);
        expect(played.answer("accepted", host)).toMatchObject({
          changed: true,
          pending: true,
          outcome: "pending",
        });
        expect(played.stdout).toContain("[WARNING]: web1: QEMU accepted it, and the guest had not done it");
        expect(played.answer("again", host)).toMatchObject({ changed: true, outcome: "applied" });
      }
    },
  );

  test("works as another user on that user's domains, and as nobody else on them", { timeout: 60_000 }, async () => {
    await one.exec("install", "-d", "-o", "nobody", "-m", "700", "/run/own");
    const environment = Object.fromEntries(["CONFIG", "RUNTIME", "STATE"].map((name) => [`QMPCTL_${name}_DIR`, `/run/own/${name}`]));
    const define = domain("define", { name: "own1", command_line: MACHINE });
    const become = {
      become: true,
      become_method: "ansible.builtin.su",
      become_user: "nobody",
      vars: { ansible_become_flags: "-s /bin/sh" },
    };
    const play1 = { hosts: one.name, environment, ...become, tasks: [define] };
    const play2 = { hosts: one.name, environment, tasks: [domain("as root", { name: "own1", allocation: { vcpus: { current: 3 } } })] };
    const played = await play([play1, play2]);
    expect(played.answer("define", one)).toMatchObject({ changed: true, state: "stopped" });
    expect(await one.exec("stat", "-c", "%U", "/run/own/CONFIG/own1.json", "/run/own/STATE")).toBe("nobody\nnobody\n");
    expect(played.answer("as root", one)).toMatchObject({
      msg: `own1: belongs to the user nobody, and is worked on as that user: become: true with become_user: nobody`,
    });
  });

  test("ansible-doc shows what a module takes, and ansible-galaxy knows the collection", { timeout: 60_000 }, async () => {
    const [doc, list] = await Promise.all([
      run("ansible-doc", ["--json", "qmpctl.qemu.domain", "qmpctl.qemu.domain_info"], { env }),
      run("ansible-galaxy", ["collection", "list"], { env }),
    ]);
    const shown = JSON.parse(doc.stdout) as Record<string, { doc: { options: Record<string, object> }; examples: string; return: object }>;
    expect(Object.keys(shown["qmpctl.qemu.domain"]?.doc.options ?? {}).sort()).toEqual(Object.keys(DOMAIN_OPTIONS).sort());
    expect(shown["qmpctl.qemu.domain"]?.doc.options["allocation"]).toMatchObject({
      suboptions: { memory: { suboptions: { current: {} } } },
    });
    expect(shown["qmpctl.qemu.domain_info"]).toMatchObject({
      examples: expect.stringContaining("qmpctl.qemu.domain_info") as string,
      return: { domains: {} },
    });
    expect(list.stdout).toMatch(/qmpctl\.qemu +\d+\.\d+\.\d+/);
  });
});

/** What ansible-core brings, and is not there. */
async function missingForAnsible(): Promise<readonly string[]> {
  const there = await Promise.all(
    ["ansible-playbook", "ansible-doc"].map((name) =>
      run("which", [name]).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.every(Boolean) ? [] : ["ansible-core"];
}

/** What a playbook said: a line for each task and host, with the whole answer. */
function playedOf(code: number | null, stdout: string): Played {
  let task = "";
  const results = stdout.split("\n").flatMap((line): readonly Result[] => {
    task = /^TASK \[(.*)\] \**$/.exec(line)?.[1] ?? task;
    const [, word, host, answer] = /^(\w+): \[(\S+?)\](?:: \w+!)? => (\{.*\})$/.exec(line) ?? [];
    return word === undefined ? [] : [{ task, word, host: host ?? "", answer: JSON.parse(answer ?? "") as Result["answer"] }];
  });
  const answer = (name: string, host: Host): Result["answer"] => {
    const found = results.find((each) => each.task === name && each.host === host.name);
    if (found === undefined) throw new Error(`no answer of ${name} on ${host.name} in:\n${stdout}`);
    return found.answer;
  };
  return { code, stdout, results, answer };
}
