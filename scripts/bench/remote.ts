/// <reference lib="esnext.disposable" />
import { execFile } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Domain, Host } from "../../src/index.ts";
import { type Hosts, missingForHosts, startHosts } from "../lab/hosts.ts";
import { privateFolder, type Qemu } from "../lab/machine.ts";
import { type Row, timed } from "./measure.ts";
import { crowdOfHostsRows } from "./remote-crowd.ts";
import { manyHostsRows } from "./remote-many.ts";
import { comparedRow, MACHINE, machineOn, NAME, qmpctl, type RemoteBench } from "./remote-work.ts";
import type { StartUpOptions } from "./start-up.ts";
import { Pipe, wholeProcess } from "./whole-process.ts";

/** What other hosts cost: calls and commands against those of this host and `ssh`, many hosts against other programs, and a crowd. */
export async function remoteRows(
  qemu: Qemu,
  { node = process.execPath, pairs = 31, tolerance = 1 }: StartUpOptions,
): Promise<readonly Row[]> {
  await using folder = await privateFolder();
  const env = environment(folder.path);
  const bench = { env, node, pairs, tolerance, output: new Pipe(join(folder.path, "pipe")) };
  using _ = bench.output;
  const missing = await missingForHosts();
  const rows: Row[] = [];
  if (missing.length > 0) console.log(`left out, for want of ${missing.join(", ")}: calls and commands on another host, and many hosts`);
  else {
    await using here = await localMachine(bench, qemu);
    {
      await using hosts = await startHosts(1);
      await machineOn(bench, hosts, 1, qemu);
      rows.push(...(await callRows(bench, hosts, here.domain)), ...(await commandRows(bench, hosts, folder.path)));
    }
    rows.push(...(await manyHostsRows(bench, qemu, folder.path)));
  }
  return [...rows, ...(await crowdOfHostsRows(bench, folder.path))];
}

/** This process's variables with folders of their own, and without one that makes every Node start slowly. */
function environment(folder: string): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, QMPCTL_HOST: __, ...rest } = process.env;
  const folders = { QMPCTL_CONFIG_DIR: "config", QMPCTL_RUNTIME_DIR: "run", QMPCTL_STATE_DIR: "state" };
  return { ...rest, ...Object.fromEntries(Object.entries(folders).map(([name, path]) => [name, join(folder, path)])) };
}

/** The machine of this host. */
async function localMachine(bench: RemoteBench, qemu: Qemu): Promise<AsyncDisposable & { readonly domain: Domain }> {
  await qmpctl(bench, ["define", "--name", NAME, "--", qemu.binary, ...MACHINE])();
  await qmpctl(bench, ["start", NAME, "--paused"])();
  const domain = await Domain.open(NAME, { env: bench.env });
  return { domain, [Symbol.asyncDispose]: async () => void (await qmpctl(bench, ["destroy", NAME])()) };
}

/** How often each call is made before it counts: the first ones compile what they run. */
const WARM = 10;

type Call = readonly [what: string, call: (domain: Domain) => Promise<unknown>];

/** Calls of the library over one connection that is open. */
async function callRows(bench: RemoteBench, hosts: Hosts, here: Domain): Promise<readonly Row[]> {
  await using host = await Host.connect(`ssh://${hosts.all[0]?.name}`, { ssh: hosts.ssh });
  const there = await host.open(NAME);
  let turns = 0;
  const pins = ["0", "all"];
  const calls: readonly Call[] = [
    ["info", (domain) => domain.info()],
    ["vcpus", (domain) => domain.vcpus()],
    ["a change, nothing to do", (domain) => domain.setMemory(64 * 2 ** 20, { scope: "both" })],
    ["a pin", (domain) => domain.change({ resource: "vcpu-pin", vcpu: 0, cpus: pins[(turns++ >> 1) % 2] ?? "" }, { scope: "current" })],
  ];
  const rows: Row[] = [];
  for (const [what, call] of calls) {
    const work = `a call on an open link: ${what}`;
    for (let warm = 0; warm < WARM; warm++) await Promise.all([call(there), call(here)]);
    rows.push(
      await comparedRow(
        bench,
        { work, name: "here", goal: 1.5 },
        () => timed(() => call(there)),
        () => timed(() => call(here)),
      ),
    );
  }
  return rows;
}

/** Whole commands, against `ssh` and the command of this host. */
async function commandRows(bench: RemoteBench, { ssh, all }: Hosts, folder: string): Promise<readonly Row[]> {
  const host = all[0]?.name ?? "";
  const held = join(folder, "held-ssh");
  const control = ["-o", "ControlMaster=auto", "-o", `ControlPath=${join(folder, "control")}`, "-o", "ControlPersist=yes"];
  await writeFile(held, `#!/bin/sh\nexec ${ssh} ${control.join(" ")} "$@"\n`);
  await chmod(held, 0o755);
  const row = async (way: string, program: string): Promise<Row> => {
    const sshAlone = wholeProcess([program, host, "true"], bench);
    const local = qmpctl(bench, ["info", NAME]);
    // The first one makes the connection that is held.
    await sshAlone();
    const both = async (): Promise<number> => (await sshAlone()) + (await local());
    const work = `qmpctl -H HOST info, ${way}`;
    return comparedRow(
      bench,
      { work, name: "ssh HOST true, and info here", goal: 1.3 },
      qmpctl(bench, ["-H", host, "info", NAME], program),
      both,
    );
  };
  try {
    return [await row("a new connection", ssh), await row("ControlMaster", held)];
  } finally {
    await promisify(execFile)(held, ["-O", "exit", host]).catch(() => undefined);
  }
}
