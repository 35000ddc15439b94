/// <reference lib="esnext.disposable" />
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { FAKE, fakeOn, type FakeOnHost } from "../../lab/host-machines.ts";
import { type Host, startHosts } from "../../lab/hosts.ts";
import { Broken } from "../check.ts";
import { killUnheard } from "./kill.ts";
import { oursOn, processesOn, until } from "./machine.ts";

const MAIN = new URL("../../../dist/cli/main.js", import.meta.url).pathname;
const MIB = 2 ** 20;

/** What the command line reports of many hosts. */
interface FleetReport {
  readonly targets: readonly { readonly host: string; readonly domain: string; readonly outcome: string }[];
}

interface Told {
  readonly code: number | null;
  readonly stderr: string;
  readonly report: FleetReport;
  /** In seconds. */
  readonly time: number;
}

/** Hosts with a fake machine each, and the command line over all of them. */
class Fleet implements AsyncDisposable {
  readonly hosts: Awaited<ReturnType<typeof startHosts>>;
  readonly fakes: readonly FakeOnHost[];

  private constructor(hosts: Fleet["hosts"], fakes: Fleet["fakes"]) {
    this.hosts = hosts;
    this.fakes = fakes;
  }

  static async open(count: number): Promise<Fleet> {
    const hosts = await startHosts(count);
    return new Fleet(hosts, await Promise.all(hosts.all.map(fakeOn)));
  }

  host(number: number): Host {
    return this.hosts.all[number - 1] as Host;
  }

  /** What each machine has by its own word, in MiB. */
  sizes(): readonly number[] {
    return this.fakes.map(({ qemu }) => qemu.actual / MIB);
  }

  /** Asks for memory everywhere. `begun` is called with the process. */
  async setmem(size: number, words: readonly string[] = [], begun: (near: ChildProcess) => void = () => undefined): Promise<Told> {
    const start = performance.now();
    const all = `host[1-${this.hosts.all.length}]`;
    const child = spawn(process.execPath, [MAIN, "-H", all, "setmem", FAKE, `${size}MiB`, "--json", ...words], {
      env: { ...process.env, QMPCTL_SSH: this.hosts.ssh },
      stdio: ["ignore", "pipe", "pipe"],
    });
    begun(child);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stderr, report: JSON.parse(stdout) as FleetReport, time: (performance.now() - start) / 1000 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const fake of this.fakes) await fake[Symbol.asyncDispose]();
    await this.hosts[Symbol.asyncDispose]();
  }
}

/** Tries a change over many hosts, with hosts that are dead, a far end that is killed, and an interrupt. @throws Broken */
export async function tryFleet(count: number, say: (line: string) => void): Promise<void> {
  const start = performance.now();
  await using fleet = await Fleet.open(count);
  say(`${count} hosts are up after ${((performance.now() - start) / 1000).toFixed(1)} s`);
  const all = await fleet.setmem(1536);
  expectTargets(fleet, all, { applied: count }, 0);
  expectSizes(fleet, () => 1536);
  say(`set everywhere: ${all.time.toFixed(1)} s`);
  await killInTheMiddle(fleet, say);
  await interruptInTheMiddle(fleet, say);
  await threeDead(fleet, say);
  for (const host of fleet.hosts.all.slice(3))
    await until(async () => (await oursOn(host)).length === 0, `nothing of ours is left on ${host.name}`);
  say("nothing of ours is left on any host");
}

/** The far end of one host is killed when QEMU is asked there. */
async function killInTheMiddle(fleet: Fleet, say: (line: string) => void): Promise<void> {
  const { hosts, fakes } = fleet;
  const victim = Math.ceil(hosts.all.length / 2);
  const { qemu } = fakes[victim - 1] as FakeOnHost;
  const usual = qemu.answers["balloon"];
  qemu.answers["balloon"] = async (args) => {
    usual?.(args);
    killUnheard(await processesOn(fleet.host(victim), /^node -e/), "SIGKILL");
  };
  const told = await fleet.setmem(1280, ["--stop-after", "100"]);
  qemu.answers["balloon"] = usual as never;
  const { [`host${victim}`]: its, ...others } = Object.fromEntries(told.report.targets.map(({ host, outcome }) => [host, outcome]));
  expectTargets(fleet, told, { applied: hosts.all.length - 1, [its ?? ""]: 1 }, 4);
  if (!["interrupted", "lost"].includes(its ?? "")) throw new Broken(`a far end that was killed is ${its}: ${JSON.stringify(others)}`);
  expectSizes(fleet, () => 1280);
  say(`a far end killed in the middle: ${its}, all others applied, exit ${told.code}; ${told.time.toFixed(1)} s`);
  await fleet.hosts.all[victim - 1]?.exec(process.execPath, MAIN, "recover", FAKE, "--forget");
}

/** Ctrl-C when a fifth of the machines have been asked. What is done is done, what is half done is undone, and the rest never begins. */
async function interruptInTheMiddle(fleet: Fleet, say: (line: string) => void): Promise<void> {
  let near: ChildProcess | undefined;
  let asked = 0;
  const when = Math.ceil(fleet.fakes.length / 5);
  for (const { qemu } of fleet.fakes) {
    const usual = qemu.answers["balloon"];
    qemu.answers["balloon"] = (args) => {
      usual?.(args);
      if (++asked === when) near?.kill("SIGINT");
    };
  }
  const told = await fleet.setmem(1024, [], (child) => (near = child));
  const counts = countsOf(told.report);
  expectTargets(fleet, told, counts, told.code ?? -1);
  if (![130, 4].includes(told.code ?? -1)) throw new Broken(`an interrupt ended with ${told.code}: ${told.stderr}`);
  const outcomes = Object.fromEntries(told.report.targets.map(({ host, outcome }) => [host, outcome]));
  expectSizes(fleet, (number) => (outcomes[`host${number}`] === "applied" ? 1024 : 1280));
  say(`Ctrl-C in the middle: ${inWords(counts)}, exit ${told.code}; ${told.time.toFixed(1)} s`);
}

/** Three hosts are gone: nothing is touched anywhere, unless what is possible was asked for. */
async function threeDead(fleet: Fleet, say: (line: string) => void): Promise<void> {
  const { hosts } = fleet;
  const before = fleet.sizes();
  const dead = [1, 2, 3];
  for (const number of dead) await fleet.host(number).link("down");
  const refused = await fleet.setmem(1792);
  expectTargets(fleet, refused, { unreachable: 3, planned: hosts.all.length - 3 }, 3);
  expectSizes(fleet, (number) => before[number - 1] ?? 0);
  say(`3 hosts dead: ${inWords(countsOf(refused.report))}, exit 3, nothing touched; ${refused.time.toFixed(1)} s`);
  const possible = await fleet.setmem(1792, ["--where-possible"]);
  expectTargets(fleet, possible, { applied: hosts.all.length - 3, unreachable: 3 }, possible.code ?? -1);
  expectSizes(fleet, (number) => (dead.includes(number) ? (before[number - 1] ?? 0) : 1792));
  say(`3 hosts dead, --where-possible: ${inWords(countsOf(possible.report))}, exit ${possible.code}; ${possible.time.toFixed(1)} s`);
  for (const number of dead) await fleet.host(number).link("up");
}

type Counts = Readonly<Record<string, number>>;

function countsOf({ targets }: FleetReport): Counts {
  const counts: Record<string, number> = {};
  for (const { outcome } of targets) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

function inWords(counts: Counts): string {
  return Object.entries(counts)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(", ");
}

/** Every target is in the report exactly once, with these outcomes. */
function expectTargets({ hosts }: Fleet, { report, code, stderr }: Told, wanted: Counts, exit: number): void {
  const [names, all] = [report.targets.map(({ host }) => host).sort(), hosts.all.map(({ name }) => name).sort()];
  if (names.join() !== all.join()) throw new Broken(`the report has ${names.join()}`);
  const counts = countsOf(report);
  const same = Object.keys({ ...counts, ...wanted }).every((outcome) => (counts[outcome] ?? 0) === (wanted[outcome] ?? 0));
  if (!same || code !== exit) throw new Broken(`${inWords(counts)}, exit ${code}, instead of ${inWords(wanted)}, exit ${exit}: ${stderr}`);
}

function expectSizes(fleet: Fleet, wanted: (number: number) => number): void {
  const wrong = fleet
    .sizes()
    .flatMap((size, at) => (size === wanted(at + 1) ? [] : [`host${at + 1} has ${size} MiB, not ${wanted(at + 1)}`]));
  if (wrong.length > 0) throw new Broken(wrong.join("; "));
}
