/// <reference lib="esnext.disposable" />
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Host, type Hosts, startHosts } from "../lab/hosts.ts";
import { type Qemu } from "../lab/machine.ts";
import { type Row } from "./measure.ts";
import { comparedRow, machineOn, qmpctl, type RemoteBench } from "./remote-work.ts";
import { OutputFile, wholeProcess } from "./whole-process.ts";

const run = promisify(execFile);

const HOSTS = 50;
const AT_ONCE = 10;
/** A round takes some seconds, and the rounds differ little. */
const ROUNDS = 3;
const COLLECTIONS = new URL("../../dist/ansible", import.meta.url).pathname;

/** One question to all hosts, by a program that is held against ours. */
interface Other {
  readonly name: string;
  readonly goal: number;
  ask(ssh: string, isHeld: boolean): () => Promise<number>;
}

/** The same question to many hosts: ours, Ansible's with our module, and libvirt's one after the other. */
export async function manyHostsRows(around: RemoteBench, qemu: Qemu, folder: string): Promise<readonly Row[]> {
  // Fifty answers do not fit into a pipe that nobody reads meanwhile.
  using output = new OutputFile(join(folder, "output"));
  const bench = { ...around, output };
  await using hosts = await startHosts(HOSTS);
  await machineOn(bench, hosts, 4, qemu);
  const names = hosts.all.map(({ name }) => name);
  const others = [await ansible(bench, names, folder), await libvirt(bench, hosts)].filter((each) => each !== undefined);
  const held = await heldSsh(hosts, folder);
  const rounds = Math.min(ROUNDS, bench.pairs);
  const rows: Row[] = [];
  try {
    for (const isHeld of [true, false])
      for (const { name, goal, ask } of others) {
        const ssh = isHeld ? held : hosts.ssh;
        const work = `${HOSTS} hosts, ${AT_ONCE} at once: info, ${isHeld ? "connections held" : "new connections"}`;
        const ours = qmpctl(bench, ["-H", `host[1-${HOSTS}]`, "--at-once", String(AT_ONCE), "info", "web1"], ssh);
        rows.push(await comparedRow(bench, { work, name, goal, rounds }, ours, ask(ssh, isHeld)));
      }
  } finally {
    await atOnce(names, (name) => run(held, ["-O", "exit", name]).catch(() => undefined));
  }
  return rows;
}

async function atOnce<T>(all: readonly T[], work: (each: T) => Promise<unknown>): Promise<void> {
  const left = all.values();
  const lane = async (): Promise<void> => {
    for (const each of left) await work(each);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** An `ssh` whose connections to all hosts are open already. What holds them keeps its output open, so nothing reads that. */
async function heldSsh({ all, ssh }: Hosts, folder: string): Promise<string> {
  const held = join(folder, "all-held-ssh");
  const control = ["-o", "ControlMaster=auto", "-o", `ControlPath=${join(folder, "c-%h")}`, "-o", "ControlPersist=yes"];
  await writeFile(held, `#!/bin/sh\nexec ${ssh} ${control.join(" ")} "$@"\n`);
  await chmod(held, 0o755);
  await atOnce(all, async ({ name }) => once(spawn(held, [name, "true"], { stdio: "ignore" }), "exit"));
  return held;
}

/** Ansible with the module of this package, as many at once. */
async function ansible({ env, node, output }: RemoteBench, names: readonly string[], folder: string): Promise<Other | undefined> {
  if (!(await isThere("ansible"))) return void console.log("left out, for want of ansible: many hosts against Ansible");
  if (!existsSync(join(COLLECTIONS, "ansible_collections")))
    return void console.log("left out, for want of dist/ansible: many hosts against Ansible");
  const inventory = join(folder, "inventory");
  await writeFile(inventory, names.map((name) => `${name} ansible_node_interpreter=${node}\n`).join(""));
  const words = ["ansible", "all", "-i", inventory, "-f", String(AT_ONCE), "-m", "qmpctl.qemu.domain_info", "-a", "name=web1"];
  return {
    name: `Ansible, forks=${AT_ONCE}, our module`,
    goal: 1,
    ask(ssh, isHeld) {
      const settings = {
        ANSIBLE_COLLECTIONS_PATH: COLLECTIONS,
        ANSIBLE_LOCAL_TEMP: join(folder, "ansible"),
        ANSIBLE_HOME: join(folder, "ansible"),
        ANSIBLE_SSH_EXECUTABLE: ssh,
        ANSIBLE_PIPELINING: "1",
        // Without it Ansible holds connections by itself.
        ANSIBLE_SSH_ARGS: isHeld ? "" : "-o ControlMaster=no -o ControlPath=none",
      };
      return wholeProcess(words, { env: { ...env, ...settings }, output });
    },
  };
}

/** A loop of `virsh`, one host after the other, as people write it; with libvirt's own daemon on each host if it runs there. */
async function libvirt({ env, output }: RemoteBench, { all }: Hosts): Promise<Other | undefined> {
  if (!(await isThere("virsh"))) return void console.log("left out, for want of virsh (libvirt-clients): many hosts against libvirt");
  const started = await Promise.all(all.map(startDaemon));
  if (started.includes(false))
    return void console.log("left out, for want of libvirtd (libvirt-daemon) that runs in such hosts: many hosts against libvirt");
  return {
    name: "a loop of virsh -c qemu+ssh://HOST/system list",
    goal: 0.33,
    ask: (ssh) => async () => {
      let time = 0;
      for (const { name } of all) {
        const address = `qemu+ssh://root@${name}/system?command=${encodeURIComponent(ssh)}`;
        time += await wholeProcess(["virsh", "-q", "-c", address, "list", "--all"], { env, output })();
      }
      return time;
    },
  };
}

async function startDaemon({ exec }: Host): Promise<boolean> {
  return exec("libvirtd", "-d").then(
    () => true,
    () => false,
  );
}

function isThere(program: string): Promise<boolean> {
  return run("which", [program]).then(
    () => true,
    () => false,
  );
}
