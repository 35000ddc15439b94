/// <reference lib="esnext.disposable" />
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launch, type Machine, privateFolder, qemus, testbedFolder } from "./machine.ts";

/** How a command ended on the host. */
export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A login session on the host. It ends when it is disposed of, as by a person who logs out. */
export interface Login extends AsyncDisposable {
  /** Runs a script of sh in the session. Never rejects for how that ends. */
  run(script: string): Promise<Done>;
  /** The same, of a script that has to work: its stdout. @throws Error with what it said */
  ok(script: string): Promise<string>;
}

/** A whole Debian that runs, with systemd, logind, sshd, Node and QEMU in it. What is changed on its disk goes with it. */
export interface HostVm extends AsyncDisposable {
  /** How long it took until its sshd answered, in milliseconds. */
  readonly bootTime: number;
  /** A program for QMPCTL_SSH, which knows it as `vm`. */
  readonly ssh: string;
  /** Takes its power away and gives it back. Resolves when it is up again. */
  reset(): Promise<void>;
  /** Has its systemd shut it down and start it again. Resolves when it is up again. */
  reboot(): Promise<void>;
  /** Logs in, as `root` or as `user`. */
  login(user: "root" | "user"): Promise<Login>;
  /** Copies what is in a folder here into one there, which is made; all of it, or only these. */
  send(from: string, to: string, names?: readonly string[]): Promise<void>;
}

/** How long it may take to boot, in milliseconds: a busy machine emulates it at a fifth of its usual pace. */
const BOOT = 240_000;

/** The folder of what `npm run testbed -- --host` builds; null if it was not built. */
export async function hostImage(): Promise<string | null> {
  const folder = join(testbedFolder(), "host");
  return access(join(folder, "recipe")).then(
    () => folder,
    () => null,
  );
}

/** Boots it under software emulation, by the newest QEMU here, and puts the built package of this tree into `/opt/qmpctl`. */
export async function bootHost(image: string): Promise<HostVm> {
  const start = performance.now();
  const folder = await privateFolder("qm-host-");
  const serial = join(folder.path, "serial");
  const newest = (await qemus()).at(-1);
  const machine = await launch(newest?.binary ?? "", hostWords(image, serial), { folder: folder.path });
  const dispose = async (): Promise<void> => {
    await machine[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  try {
    await ready(serial, machine);
    const port = await forwardedPort(machine);
    const login = (user: "root" | "user"): Promise<Login> => logIn({ image, folder: folder.path, port, user });
    const reset = async (): Promise<void> => {
      const up = ready(serial, machine);
      await machine.ask("system_reset");
      await up;
    };
    const reboot = async (): Promise<void> => {
      const up = ready(serial, machine);
      await using session = await login("root");
      // The host takes the connection with it, and not always with a word: its answer is that it is up again.
      const asked = session.run("systemctl reboot");
      await up;
      await Promise.all([asked, session[Symbol.asyncDispose]()]);
    };
    const send: HostVm["send"] = (from, to, names = ["."]) =>
      copy({ image, folder: folder.path, port }, [...OWN, "-C", from, ...names], to);
    const ssh = await sshTo({ image, folder: folder.path, port });
    const vm: HostVm = { bootTime: performance.now() - start, ssh, login, reset, reboot, send, [Symbol.asyncDispose]: dispose };
    await install(vm);
    return vm;
  } catch (error) {
    await dispose();
    throw error;
  }
}

function hostWords(image: string, serial: string): readonly string[] {
  return [
    // What an emulated CPU can do that nobody here asks of it only makes it slower.
    ...["-machine", "q35,accel=tcg", "-cpu", "Nehalem", "-smp", "1", "-m", "1G"],
    ...["-kernel", join(image, "vmlinuz"), "-initrd", join(image, "initrd.img")],
    ...["-append", "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off systemd.show_status=false"],
    ...["-drive", `file=${join(image, "disk.img")},if=virtio,format=raw,snapshot=on,cache=unsafe`],
    // The kernel of this host chooses the port. Nothing else leads in or out.
    ...["-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22", "-device", "virtio-net-pci,netdev=net"],
    ...["-device", "virtio-rng-pci", "-serial", `unix:${serial},server=on,wait=off`],
  ];
}

/** Waits for the host's own word, on its serial line, that it is up. */
async function ready(serial: string, machine: Machine): Promise<void> {
  const socket = connect(serial);
  const late = AbortSignal.timeout(BOOT);
  let last = "";
  try {
    const lines = createInterface({ input: socket });
    const ended = machine.exited.then(({ stderr }) => Promise.reject(new Error(`its QEMU ended: ${stderr}`)));
    const said = (async () => {
      for await (const line of lines) {
        last = line;
        if (line.includes("HOST-READY")) return;
      }
    })();
    const tooLate = once(late, "abort").then(() => Promise.reject(new Error(`not up in ${BOOT} ms; its last words: ${last}`)));
    await Promise.race([said, ended, tooLate]);
  } finally {
    socket.destroy();
  }
}

async function forwardedPort(machine: Machine): Promise<string> {
  const table = (await machine.ask("human-monitor-command", { "command-line": "info usernet" })) as string;
  const port = /HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(table)?.[1];
  if (port === undefined) throw new Error(`no port is forwarded to it: ${table}`);
  return port;
}

interface Way {
  readonly image: string;
  readonly folder: string;
  readonly port: string;
}

/** Writes what a user would have in ssh_config, and an `ssh` that reads it. */
async function sshTo({ image, folder, port }: Way): Promise<string> {
  const [config, path] = [join(folder, "ssh_config"), join(folder, "ssh")];
  const options = ["StrictHostKeyChecking no", "UserKnownHostsFile /dev/null", "LogLevel ERROR"];
  const lines = ["HostName 127.0.0.1", `Port ${port}`, `IdentityFile ${join(image, "key")}`, ...options];
  await writeFile(config, `Host vm\n${lines.map((line) => `  ${line}\n`).join("")}`);
  await writeFile(path, `#!/bin/sh\nexec ssh -F ${config} "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

let turn = 0;

/** One connection is one session; its commands share it. */
async function logIn({ image, folder, port, user }: Way & { readonly user: string }): Promise<Login> {
  const control = join(folder, `ssh${turn++}`);
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=60"];
  const words = [...options.flatMap((option) => ["-o", option]), "-o", `ControlPath=${control}`, "-i", join(image, "key"), "-p", port];
  // It stays in the foreground, and ends with us.
  const master = spawn(
    "setpriv",
    [
      "--pdeathsig",
      "TERM",
      "--",
      "ssh",
      "-M",
      "-N",
      ...words,
      "-o",
      "PermitLocalCommand=yes",
      "-o",
      "LocalCommand=echo in",
      `${user}@127.0.0.1`,
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  // From the start: a session that the host has ended is over before it is disposed of.
  const ended = once(master, "close");
  await connected(master);
  const run = (script: string): Promise<Done> =>
    new Promise((resolve) => {
      const child = execFile("ssh", [...words, `${user}@127.0.0.1`, "sh", "-s"], { maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, stdout, stderr }),
      );
      child.stdin?.end(script);
    });
  return {
    run,
    ok: async (script) => {
      const { code, stdout, stderr } = await run(script);
      if (code !== 0) throw new Error(`${script}: ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    [Symbol.asyncDispose]: async () => {
      master.kill("SIGTERM");
      await ended;
    },
  };
}

async function connected(master: ChildProcess): Promise<void> {
  let stderr = "";
  master.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(master, "close").then(() => Promise.reject(new Error(`no login: ${stderr}`)));
  ended.catch(() => undefined);
  if (master.stdout !== null) await Promise.race([once(master.stdout, "data"), ended]);
}

/** Files of ours become root's there. */
const OWN: readonly string[] = ["--owner=0", "--group=0"];

/** Copies what `tar` takes by these words into a folder there. */
async function copy(way: Way, words: readonly string[], to: string): Promise<void> {
  const tar = spawn("tar", [...words.slice(0, 2), "-chf", "-", ...words.slice(2)], { stdio: ["ignore", "pipe", "inherit"] });
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"].flatMap((each) => [
    "-o",
    each,
  ]);
  const there = [...options, "-i", join(way.image, "key"), "-p", way.port, "root@127.0.0.1", `mkdir -p ${to} && tar -C ${to} -xf -`];
  const ssh = spawn("ssh", there, { stdio: [tar.stdout, "ignore", "inherit"] });
  const [code] = (await once(ssh, "close")) as [number | null];
  if (code !== 0) throw new Error(`${to}: nothing was copied there: ${code}`);
}

/** The command line of this tree, with what it needs at run time, as `qmpctl` for everybody. */
async function install(vm: HostVm): Promise<void> {
  const root = new URL("../..", import.meta.url).pathname;
  await vm.send(root, "/opt/qmpctl", ["--exclude=*.map", "--exclude=*.d.ts", "package.json", "dist", "node_modules/zod"]);
  await using session = await vm.login("root");
  await session.ok(
    "printf '#!/bin/sh\\nexec node /opt/qmpctl/dist/cli/main.js \"$@\"\\n' >/usr/local/bin/qmpctl; chmod 755 /usr/local/bin/qmpctl; chmod -R go+rX /opt/qmpctl",
  );
}
