import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, type Hosts, missingForHosts, startHosts } from "../../scripts/lab/hosts.ts";
import { privateFolder } from "../../scripts/lab/machine.ts";
import { Host as RemoteHost } from "../../src/index.ts";
import { program } from "../cli/program.ts";

// Hosts as people have them, each with a real sshd: every one works, or says in one line why not.
const missing = await missingForHosts();

const SHELLS = ["/bin/dash", "/bin/bash", "/usr/bin/fish", "/usr/bin/zsh", "/usr/bin/tcsh"];
const there = await Promise.all(
  SHELLS.map((path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  ),
);
const shells = SHELLS.filter((_, at) => there[at]);
const without = SHELLS.filter((_, at) => !there[at]);
if (without.length > 0) console.log(`login shells that are not tried, as they are not here: ${without.join(", ")}`);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Login shells that are odd, by the name of their login: a line of sh before the real shell. */
const ODD: Readonly<Record<string, string>> = {
  "noise-line": "echo Welcome to kvm1",
  "noise-much": "head -c 100000 /dev/zero | tr '\\\\0' x; echo",
  "noise-bytes": "printf '\\\\377\\\\000\\\\033[31m\\n'",
  "noise-half": "printf 'last login: never '",
  "noise-stderr": "echo 'node: not found, Permission denied' >&2",
  "no-node": "PATH=/nonexistent",
  "old-node": "PATH=OLD:$PATH",
  "no-clock": "export NODE_OPTIONS=--import=CLOCK",
  silent: "exec cat >/dev/null",
  broken: "echo 'This host is closed.'; exit 3",
};

describe.skipIf(missing.length > 0)("a host that is odd, over a real ssh", () => {
  let hosts: Hosts;
  let kvm1: Host;
  let kvm2: Host;
  let own: { readonly path: string } & AsyncDisposable;
  let ssh = "";
  const masters: ChildProcess[] = [];
  beforeAll(async () => {
    own = await privateFolder("qm-odd-");
    const logins = Object.fromEntries([
      ...shells.map((shell) => [`with-${shell.split("/").at(-1)}`, { shell }] as const),
      ...(await Promise.all(Object.entries(ODD).map(async ([name, line]) => [name, { shell: await shellOf(name, line) }] as const))),
      ["nologin", { shell: "/usr/sbin/nologin" }],
      ["homeless", { shell: "/bin/sh", home: "/nonexistent" }],
      ...["sftp", "forced", "reader"].map((name) => [name, { shell: "/bin/sh" }] as const),
    ]);
    await writeFile(join(own.path, "banner"), "Unauthorised access is not permitted: Permission denied, Connection refused, not found.\n");
    const sshd = [
      ...["PermitTTY no", `Banner ${own.path}/banner`, "MaxStartups 100", "ListenAddress [::]:2222", "ListenAddress 0.0.0.0:2222"],
      ...["Match User sftp", "  ForceCommand internal-sftp"],
      ...["forced", "reader"].flatMap((name) => [`Match User ${name}`, `  AuthorizedKeysFile ${own.path}/${name}.keys`]),
    ];
    hosts = await startHosts(2, { sshd, logins });
    [kvm1, kvm2] = hosts.all as [Host, Host];
    await configs();
  }, 60_000);
  afterAll(async () => {
    for (const master of masters) master.kill("SIGKILL");
    await hosts?.[Symbol.asyncDispose]();
    await own?.[Symbol.asyncDispose]();
  });

  /** A login shell: a line of sh, and then what sshd asks for. */
  async function shellOf(name: string, line: string): Promise<string> {
    const path = join(own.path, name);
    const old = join(own.path, "old");
    const clock = join(own.path, "clock.mjs");
    await mkdir(old, { recursive: true });
    const loader = '{"qmpctl":"loader","protocol":[1,1],"node":"v16.20.2"}';
    await writeFile(join(old, "node"), `#!/bin/sh\necho '${loader}'; cat >/dev/null\n`);
    await chmod(join(old, "node"), 0o755);
    await writeFile(clock, "const now = Date.now; Date.now = () => now() + 3_600_000;\n");
    await writeFile(path, `#!/bin/sh\n${line.replace("OLD", old).replace("CLOCK", clock).replaceAll("\\\\", "\\")}\nexec /bin/sh "$@"\n`);
    await chmod(path, 0o755);
    return path;
  }

  /** What a user would have in ssh_config and authorized_keys. */
  async function configs(): Promise<void> {
    const rig = hosts.ssh.replace(/ssh$/, "");
    const to1 = [`  HostName ${kvm1.address}`, "  HostKeyAlias host1"];
    const config = [
      ...["Host wrong-key", `  HostName ${kvm1.address}`, "  HostKeyAlias wrong-key", `  UserKnownHostsFile ${own.path}/known_hosts`],
      ...["Host no-key", ...to1, "  PubkeyAuthentication no"],
      ...["Host behind", ...to1, "  ProxyJump host2"],
      ...["Host behind-none", ...to1, `  ProxyJump root@${kvm2.address}:9`],
      ...["Host shared", ...to1, `  ControlPath ${own.path}/shared`],
      ...["Host dead-master", ...to1, `  ControlPath ${own.path}/dead`],
      ...["Match all", `Include ${rig}ssh_config`],
    ];
    await writeFile(join(own.path, "ssh_config"), `${config.join("\n")}\n`);
    const other = (await readFile(`${rig}user.pub`, "utf8")).trim();
    await writeFile(join(own.path, "known_hosts"), `wrong-key ${other}\n`);
    ssh = join(own.path, "ssh");
    const real = (await readFile(hosts.ssh, "utf8")).replace(/-F \S+/, `-F ${own.path}/ssh_config`);
    await writeFile(ssh, real);
    await chmod(ssh, 0o755);
    const serve = `${process.execPath} ${program} serve`;
    await writeFile(join(own.path, "forced.keys"), `restrict,command="${serve} --verbs list,define --domains 'web*'" ${other}\n`);
    await writeFile(join(own.path, "reader.keys"), `restrict,command="${serve} --read-only" ${other}\n`);
  }

  function begin(words: readonly string[], by: string = ssh): ChildProcess {
    return spawn(process.execPath, [program, ...words], {
      env: { ...process.env, QMPCTL_SSH: by, NODE_DISABLE_COMPILE_CACHE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async function qmpctl(words: readonly string[], by?: string): Promise<Ended> {
    const child = begin(words, by);
    let [stdout, stderr] = ["", ""];
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr };
  }

  /** Lists the domains of a host: there are none. */
  async function list(host: string): Promise<Ended> {
    return qmpctl(["-H", host, "list", "--all"]);
  }

  /** The error of a host that can't be worked with. */
  async function whyNot(host: string): Promise<{ readonly why?: string; readonly message?: string }> {
    const { code, stdout } = await qmpctl(["-H", host, "list", "--json"]);
    expect([host, code]).toEqual([host, 1]);
    return (JSON.parse(stdout) as { readonly error: object }).error;
  }

  const WORKS = { code: 0, stderr: "no domains are defined: `qmpctl define` makes one\n" };

  test.concurrent.each([
    ...shells.map((shell) => `with-${shell.split("/").at(-1)}@host1`),
    ...["homeless@host1", "noise-stderr@host1", "no-clock@host1"],
    ...["behind", "dead-master", "root@host1:2222", "ssh://host1"],
  ])("%s works", async (host) => {
    if (host === "dead-master") await master("dead-master", (child) => child.kill("SIGKILL"));
    expect(await list(host)).toMatchObject(WORKS);
  });

  test.concurrent.each([
    ["noise-line@host1", "noise", '"Welcome to kvm1'],
    ["noise-much@host1", "noise", "xxxx"],
    ["noise-bytes@host1", "noise", "something else than qmpctl speaks there first"],
    ["noise-half@host1", "noise", '"last login: never '],
    ["nologin@host1", "other", "This account is currently not available."],
    ["broken@host1", "other", "This host is closed."],
    ["sftp@host1", "other", 'its login ended with 1: "This service allows sftp connections only."'],
    ["no-node@host1", "no-node", "there is no Node there"],
    ["old-node@host1", "node-too-old", "v16.20.2"],
    ["wrong-key", "host-key", "its key is not the known one"],
    ["no-key", "auth", "it does not let us in"],
    ["behind-none", "refused", "Connection refused"],
    ["root@host1:9", "refused", "nobody listens there"],
    ["no.such.host.invalid", "resolve", "no such host"],
  ])("%s does not, as %s", async (host, why, words) => {
    expect(await whyNot(host)).toMatchObject({ why, message: expect.stringContaining(words) as string });
  });

  test.concurrent("IPv6", async ({ skip }) => {
    if ((await readFile("/proc/net/if_inet6", "utf8").catch(() => "")) === "") skip("this kernel has no IPv6");
    const config = join(own.path, "ssh6");
    const keys = (await readFile(`${hosts.ssh.replace(/ssh$/, "")}host.pub`, "utf8")).trim();
    const [, address = ""] = /inet6 (fe80\S+)\//.exec(await kvm1.exec("ip", "-6", "addr", "show", "dev", "eth0")) ?? [];
    await writeFile(`${config}.hosts`, `[${address}%br0]:2222 ${keys}\n`);
    await writeFile(config, (await readFile(ssh, "utf8")).replace('"$@"', `-o UserKnownHostsFile=${config}.hosts "$@"`));
    await chmod(config, 0o755);
    expect(await qmpctl(["-H", `root@[${address}%br0]:2222`, "list", "--all"], config)).toMatchObject(WORKS);
  });

  test.concurrent("a login that says nothing is given up", async () => {
    const refused = RemoteHost.connect("ssh://silent@host1", { ssh, timeout: 3000 });
    await expect(refused).rejects.toMatchObject({ why: "timeout", message: expect.stringContaining("within 3 s") as string });
  });

  test.concurrent("a key for less may do that and no more", async () => {
    const forced = await qmpctl(["--installed", "-H", "forced@host1", "list", "--all"]);
    expect(forced).toMatchObject(WORKS);
    expect(await qmpctl(["-H", "forced@host1", "list", "--all"])).toMatchObject(WORKS);
    const other = await qmpctl(["--installed", "-H", "forced@host1", "define", "--name", "db1", "--", "qemu-system-x86_64", "-m", "64"]);
    expect([other.code, other.stderr]).toEqual([3, expect.stringContaining("this key does not allow it")]);
    const write = await qmpctl(["--installed", "-H", "reader@host1", "define", "--name", "web1", "--", "qemu-system-x86_64", "-m", "64"]);
    expect([write.code, write.stderr]).toEqual([3, expect.stringContaining("this key may only read")]);
  });

  /** A shared connection of the user's own, once it is there. */
  async function master(host: string, then: (child: ChildProcess) => void = () => undefined): Promise<ChildProcess> {
    const child = spawn(ssh, ["-M", "-N", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo in", host], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    masters.push(child);
    await once(child.stdout, "data");
    then(child);
    return child;
  }

  test.concurrent("a shared connection is used, and one that ends in the middle is made anew", async () => {
    const child = await master("shared");
    await using host = await RemoteHost.connect("ssh://shared", { ssh });
    expect(await host.list({ all: true })).toEqual([]);
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
    expect(await host.list({ all: true })).toEqual([]);
  });

  test.concurrent("one that lets in two at a time has ten callers in the end, each once", async () => {
    await using busy = await startHosts(1, { sshd: ["MaxStartups 2:100:2"] });
    const all = await Promise.all(
      Array.from({ length: 10 }, async () => {
        await using host = await RemoteHost.connect("ssh://host1", { ssh: busy.ssh });
        return await host.list({ all: true });
      }),
    );
    expect(all).toEqual(Array.from({ length: 10 }, () => []));
  });

  test.concurrent("one whose records can't be written shows everything and changes nothing", async () => {
    await mkdir(join(kvm2.folder, "state"), { recursive: true });
    expect(await qmpctl(["-H", "host2", "define", "--name", "web1", "--", "qemu-system-x86_64", "-m", "64"])).toMatchObject({ code: 0 });
    await kvm2.exec("mount", "-t", "tmpfs", "-o", "ro", "none", join(kvm2.folder, "state"));
    const path = join(kvm2.folder, "config", "web1.json");
    const before = await readFile(path, "utf8");
    expect(await qmpctl(["-H", "host2", "info", "web1"])).toMatchObject({ code: 0, stderr: "" });
    const change = await qmpctl(["-H", "host2", "setmaxmem", "web1", "128M", "--config"]);
    expect([change.code, change.stderr]).toEqual([1, expect.stringContaining("read-only file system")]);
    expect(await readFile(path, "utf8")).toBe(before);
  });

  test.concurrent("names of any text are names there, and nothing else", async () => {
    await using host = await RemoteHost.connect("ssh://host1", { ssh });
    const mark = join(own.path, "mark");
    for (const name of [`$(touch ${mark})`, "a b", `it's "x"`, "a\nb", "ünï😀", "`id`", "a;b", "-rf", "*"]) {
      const error = await host.open(name).catch((reason: unknown) => reason);
      expect([name, error]).toEqual([name, expect.objectContaining({ code: expect.toBeOneOf(["usage", "config"]) as string })]);
    }
    for (const name of ["-oProxyCommand=touch x", "a b", "$(id)", "a\nb", "ünï"])
      await expect(RemoteHost.connect(`ssh://${name}`, { ssh })).rejects.toMatchObject({ code: "usage" });
    await expect(access(mark)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("odd hosts are there", ({ skip }) => {
  if (missing.length > 0) skip(`${missing.join(", ")} missing: npm run testbed -- --install --hosts, as root`);
});
