/// <reference lib="esnext.disposable" />
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { privateFolder } from "./machine.ts";

const run = promisify(execFile);

/** One host of the rig: a network, mount, name and process namespace of its own, with an sshd on its own address. */
export interface Host {
  /** What `ssh` knows it by. */
  readonly name: string;
  /** Its address in the network of the rig. */
  readonly address: string;
  /** Its folder: `config`, `run` and `state` of qmpctl there, and `home`. */
  readonly folder: string;
  /** The process that is its init: what ends with it ends all of the host. */
  readonly init: number;
  /** Runs a program there, as root, with the variables that sshd gives a login. */
  exec(...words: readonly string[]): Promise<string>;
  /** Takes its cable out, or puts it back. Nobody is told. */
  link(state: "up" | "down"): Promise<void>;
}

/** Hosts on one machine, and the `ssh` that reaches them. */
export interface Hosts extends AsyncDisposable {
  /** A program for QMPCTL_SSH. */
  readonly ssh: string;
  readonly all: readonly Host[];
}

/** What a rig's hosts are like. */
export interface HostsOptions {
  /** More lines of each host's sshd_config. */
  readonly sshd?: readonly string[];
  /** The login shell of root there; /bin/sh unless told. */
  readonly shell?: string;
  /** More logins there, all of them root's, by their names. */
  readonly logins?: Readonly<Record<string, Login>>;
  /** More variables that sshd gives a login. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A login of a host, with a shell and a home folder that it may lack. */
export interface Login {
  readonly shell: string;
  readonly home?: string;
}

/** What the rig needs of this machine, and lacks; empty where hosts can be started. */
export async function missingForHosts(): Promise<readonly string[]> {
  const root = process.geteuid?.() === 0 ? [] : ["root"];
  const programs = ["ip", "sshd", "ssh", "ssh-keygen", "unshare", "nsenter", "setpriv", "ps", "pkill", "ss"];
  const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  const there = await Promise.all(
    programs.map((name) =>
      run("which", [name], { env }).then(
        () => true,
        () => false,
      ),
    ),
  );
  return [...root, ...programs.filter((_, at) => there[at] !== true)];
}

let rigs = 0;

/**
 * Starts hosts. They see this machine's files, except what each has of its own, and are gone with the rig. Takes root.
 *
 * @throws Error when a host does not come up
 */
export async function startHosts(count: number, options: HostsOptions = {}): Promise<Hosts> {
  const folder = await privateFolder("qmpctl-hosts-");
  await sweep();
  const tag = `qmpctl-${process.pid}-${rigs++}`;
  const rig = new Rig(folder.path, tag, options);
  try {
    await rig.prepare();
    const all: Host[] = [];
    for (let number = 1; number <= count; number++) all.push(await rig.host(number));
    await rig.knowHosts(all);
    return {
      ssh: rig.ssh,
      all,
      async [Symbol.asyncDispose]() {
        await rig.end();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await rig.end();
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

class Rig {
  readonly #folder: string;
  readonly #tag: string;
  readonly #options: HostsOptions;
  readonly #inits: ChildProcess[] = [];
  readonly #networks: string[] = [];
  readonly #entries: string[] = [];

  constructor(folder: string, tag: string, options: HostsOptions) {
    this.#folder = folder;
    this.#tag = tag;
    this.#options = options;
  }

  get ssh(): string {
    return join(this.#folder, "ssh");
  }

  /** A network of the client's own, with the cable box that all hosts are on, and keys. */
  async prepare(): Promise<void> {
    await this.#network(this.#tag);
    await ip("-n", this.#tag, "link", "add", "br0", "type", "bridge");
    await ip("-n", this.#tag, "addr", "add", "10.0.0.1/16", "dev", "br0");
    await ip("-n", this.#tag, "link", "set", "br0", "up");
    for (const name of ["user", "host"]) await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(this.#folder, name)]);
    const config = join(this.#folder, "ssh_config");
    await writeFile(this.ssh, `#!/bin/sh\nexec ip netns exec ${this.#tag} ssh -F ${config} "$@"\n`);
    await chmod(this.ssh, 0o755);
  }

  async #network(name: string): Promise<void> {
    await ip("netns", "add", name);
    this.#networks.push(name);
    await ip("-n", name, "link", "set", "lo", "up");
  }

  async host(number: number): Promise<Host> {
    const [name, network] = [`host${number}`, `${this.#tag}-${number}`];
    const address = `10.0.${1 + (number >> 8)}.${number & 255}`;
    const folder = join(this.#folder, name);
    await mkdir(join(folder, "home"), { recursive: true });
    await this.#network(network);
    const cable = `v${number}`;
    await ip("-n", this.#tag, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", network);
    await ip("-n", this.#tag, "link", "set", cable, "master", "br0", "up");
    await ip("-n", network, "addr", "add", `${address}/16`, "dev", "eth0");
    await ip("-n", network, "link", "set", "eth0", "up");
    const init = await this.#boot({ name, network, folder, address });
    this.#entries.push(`Host ${name}\n  HostName ${address}\n  HostKeyAlias ${name}\n`);
    const variables = Object.entries(variablesOf(folder)).map(([key, value]) => `${key}=${value}`);
    return {
      name,
      address,
      folder,
      init,
      exec: async (...words) =>
        (await run("nsenter", ["-t", String(init), "-m", "-u", "-n", "-p", "--", "env", ...variables, ...words], { maxBuffer: 2 ** 24 }))
          .stdout,
      link: async (state) => void (await ip("-n", this.#tag, "link", "set", cable, state)),
    };
  }

  /** Starts the host's init, which becomes its sshd, and waits until that listens. */
  async #boot({ name, network, folder, address }: { readonly [K in "name" | "network" | "folder" | "address"]: string }): Promise<number> {
    const { sshd = [], shell = "/bin/sh", env = {}, logins = {} } = this.#options;
    const more = Object.entries(logins).map(([login, at]) => `${login}:x:0:0:root:${at.home ?? "/root"}:${at.shell}\n`);
    const passwd = (await readFile("/etc/passwd", "utf8")).replace(/^root:.*$/m, `root:x:0:0:root:/root:${shell}`);
    await writeFile(join(folder, "passwd"), passwd + more.join(""));
    const variables = Object.entries({ ...variablesOf(folder), ...env }).map(([key, value]) => `"${key}=${value}"`);
    const settings = [
      ...[`ListenAddress ${address}`, `HostKey ${join(this.#folder, "host")}`, `AuthorizedKeysFile ${join(this.#folder, "user.pub")}`],
      ...["UsePAM no", "StrictModes no", "PidFile none", "PermitRootLogin prohibit-password", "PasswordAuthentication no"],
      `SetEnv ${variables.join(" ")}`,
      ...sshd,
    ];
    await writeFile(join(folder, "sshd_config"), `${settings.join("\n")}\n`);
    const script = [
      "set -e",
      `hostname ${name}`,
      "mount -t tmpfs none /run",
      "mkdir /run/sshd",
      `mount --bind ${join(folder, "home")} /root`,
      `mount --bind ${join(folder, "passwd")} /etc/passwd`,
      `exec /usr/sbin/sshd -D -e -f ${join(folder, "sshd_config")}`,
    ].join("\n");
    const words = [
      "netns",
      "exec",
      network,
      "unshare",
      "--mount",
      "--uts",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-c",
      script,
    ];
    // If this process is killed, all of the host is.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "ip", ...words], { stdio: ["ignore", "ignore", "pipe"], env: { PATH } });
    this.#inits.push(child);
    let said = "";
    const listening = new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (/Server listening on/.test(said)) resolve();
      });
      child.once("close", () => reject(new Error(`${name} did not come up: ${said.trim()}`)));
    });
    await listening;
    return await initOf(child.pid as number);
  }

  /** Lets ssh know the hosts: their addresses, and their keys. */
  async knowHosts(all: readonly Host[]): Promise<void> {
    const key = (await readFile(join(this.#folder, "host.pub"), "utf8")).trim();
    await writeFile(join(this.#folder, "known_hosts"), all.map(({ name }) => `${name} ${key}\n`).join(""));
    const common = [
      ...["Host *", "  User root", `  IdentityFile ${join(this.#folder, "user")}`, "  IdentitiesOnly yes"],
      ...[`  UserKnownHostsFile ${join(this.#folder, "known_hosts")}`, "  StrictHostKeyChecking yes"],
    ];
    await writeFile(join(this.#folder, "ssh_config"), `${this.#entries.join("")}${common.join("\n")}\n`);
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#inits.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "close");
        const init = await initOf(child.pid as number).catch(() => undefined);
        if (init === undefined) child.kill("SIGKILL");
        else process.kill(init, "SIGKILL");
        await ended;
      }),
    );
    for (const name of this.#networks) await ip("netns", "del", name).catch(() => undefined);
  }
}

/** Takes away the networks of rigs whose process is gone. */
async function sweep(): Promise<void> {
  const { stdout } = await run("ip", ["netns", "list"], { env: { PATH } });
  for (const [name, pid = ""] of stdout.matchAll(/^qmpctl-(\d+)-[\d-]+/gm))
    if (!existsSync(`/proc/${pid}`)) await ip("netns", "del", name).catch(() => undefined);
}

/** The first process of the namespace that `ip netns exec … unshare --fork` made: the only child of what that became. */
async function initOf(pid: number): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  return Number(children[0]);
}

function variablesOf(folder: string): Readonly<Record<string, string>> {
  return {
    PATH: `${dirname(process.execPath)}:${PATH}`,
    QMPCTL_CONFIG_DIR: join(folder, "config"),
    QMPCTL_RUNTIME_DIR: join(folder, "run"),
    QMPCTL_STATE_DIR: join(folder, "state"),
  };
}

async function ip(...words: readonly string[]): Promise<void> {
  await run("ip", words, { env: { PATH } });
}
