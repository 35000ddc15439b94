import { type Hosts } from "../lab/hosts.ts";
import { type Qemu } from "../lab/machine.ts";
import { compare, milliseconds, type Row, times } from "./measure.ts";
import { type Output, wholeProcess } from "./whole-process.ts";

const PROGRAM = new URL("../../dist/cli/main.js", import.meta.url).pathname;

/** The machine that is asked for. */
export const NAME = "web1";

/** A machine that is small, and stands still: only the way to it is measured. */
export const MACHINE: readonly string[] = [
  ...["-machine", "q35,accel=tcg", "-m", "64M", "-smp", "cpus=2,maxcpus=4", "-device", "virtio-balloon-pci"],
  ...["-display", "none", "-nodefaults", "-no-user-config"],
];

/** What all of it is measured with. */
export interface RemoteBench {
  readonly env: NodeJS.ProcessEnv;
  readonly node: string;
  readonly pairs: number;
  readonly tolerance: number;
  readonly output: Output;
}

/** The command line, from its start to its end. */
export function qmpctl({ node, env, output }: RemoteBench, words: readonly string[], ssh?: string): () => Promise<number> {
  return wholeProcess([node, PROGRAM, ...words], { env: ssh === undefined ? env : { ...env, QMPCTL_SSH: ssh }, output });
}

/** The same machine on the hosts of a rig, some hosts at once. */
export async function machineOn(bench: RemoteBench, hosts: Hosts, atOnce: number, qemu: Qemu): Promise<void> {
  const left = hosts.all.values();
  const lane = async (): Promise<void> => {
    for (const { exec } of left) {
      const own = (...words: readonly string[]): Promise<string> => exec(bench.node, PROGRAM, ...words);
      await own("define", "--name", NAME, "--", qemu.binary, ...MACHINE);
      await own("start", NAME, "--paused");
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** One row: how many times as long ours may take at most. */
export async function comparedRow(
  { pairs, tolerance }: RemoteBench,
  { work, name, goal, rounds = pairs }: { readonly work: string; readonly name: string; readonly goal: number; readonly rounds?: number },
  ours: () => Promise<number>,
  against: () => Promise<number>,
): Promise<Row> {
  const result = await compare(rounds, ours, against);
  const most = goal * tolerance;
  return {
    work,
    ours: milliseconds(result.ours),
    against: `${name}: ${milliseconds(result.against)}`,
    ratio: times(result.ratio),
    goal: `at most ${goal}${most === goal ? "" : ` (here ${times(most)})`}`,
    reached: result.ratio <= most,
  };
}
