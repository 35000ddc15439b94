/// <reference lib="esnext.disposable" />
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { privateFolder } from "./machine.ts";

/** A daemon of libvirt's of one's own: its folders, its processes and its network are nobody else's, and end with it. */
export interface Libvirtd extends AsyncDisposable {
  /** The words before a command that is to run where that daemon is. */
  readonly inside: readonly string[];
  /** Runs `virsh` there, and gives what it printed. */
  virsh(...words: readonly string[]): Promise<string>;
}

/** What such a daemon takes: the program, and what is needed to start it. Undefined if it is all here. */
export async function missingForLibvirtd(): Promise<string | undefined> {
  if (process.geteuid?.() !== 0) return "root";
  const tools = [
    ["libvirtd", "--version"],
    ["virsh", "--version"],
    ["unshare", "--version"],
    ["nsenter", "--version"],
  ] as const;
  for (const [tool, word] of tools) {
    const isThere = await promisify(execFile)(tool, [word]).then(
      () => true,
      () => false,
    );
    if (!isThere) return `${tool} (libvirt-daemon-system, libvirt-clients, util-linux)`;
  }
  return undefined;
}

/**
 * Folders of its own over the host's; what its QEMUs may do is left to the kernel. bash, as the first process of its namespace, waits for
 * what others leave behind: libvirt waits half a minute for an emulator that it asked and that nobody has waited for.
 */
const SETUP = `set -e
# libvirt hands it on to its QEMUs, with their command line.
unset TMPDIR
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs qmpctl /run
for at in /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt; do
  mkdir -p "$1$at" "$at"
  mount --bind "$1$at" "$at"
done
mkdir -p /etc/libvirt/qemu/networks
printf '%s\\n' 'stdio_handler="file"' 'user="root"' 'group="root"' 'security_driver="none"' 'cgroup_controllers=[]' 'namespaces=[]' >/etc/libvirt/qemu.conf
printf '%s\\n' 'auth_unix_rw="none"' >/etc/libvirt/libvirtd.conf
ip link set lo up
libvirtd -d -f /etc/libvirt/libvirtd.conf -p /run/libvirtd.pid
echo ready
sleep infinity &
wait`;

/** Starts one. @throws Error with its own words when it does not come up */
export async function startLibvirtd(): Promise<Libvirtd> {
  const folder = await privateFolder();
  const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "unshare", ...namespaces, "bash", "-c", SETUP, "bash", folder.path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const gone = once(child, "exit");
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await gone;
    await folder[Symbol.asyncDispose]();
  };
  try {
    await firstLine(child);
    const first = (await readFile(`/proc/${child.pid ?? 0}/task/${child.pid ?? 0}/children`, "utf8")).trim();
    const inside = ["nsenter", "--target", first, "--mount", "--net", "--pid", "--"];
    const virsh = async (...words: readonly string[]): Promise<string> => {
      const [program = "", ...rest] = [...inside, "virsh", "-q", "-c", "qemu:///system", ...words];
      return (await promisify(execFile)(program, rest, { env: { ...process.env, LC_ALL: "C" } })).stdout;
    };
    return { inside, virsh, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function firstLine(child: ChildProcess): Promise<void> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  if (child.stdout === null) throw new Error("it has no output");
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") return;
  throw new Error(`libvirtd did not start: ${said}`);
}
