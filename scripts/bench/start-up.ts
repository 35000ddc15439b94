/// <reference lib="esnext.disposable" />
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { privateFolder, type Qemu } from "../lab/machine.ts";
import { hear } from "./heard.ts";
import { compare, milliseconds, type Row, times } from "./measure.ts";
import { Pipe, wholeProcess } from "./whole-process.ts";

const DIST = new URL("../../dist/", import.meta.url).pathname;
const PROGRAM = join(DIST, "cli/main.js");
const BARE = new URL("bare-script.cjs", import.meta.url).pathname;
const NAME = "bench";

/** How start-up is measured. */
export interface StartUpOptions {
  /** The Node that runs everything; this one unless told. */
  readonly node?: string | undefined;
  /** How many pairs are taken of each row. */
  readonly pairs?: number | undefined;
  /** How many times the goal may be missed by, for machines that are busy with other things; 1 unless told. */
  readonly tolerance?: number | undefined;
}

/** A command line, how it ends, and how many times as long it may take as what it is held against. */
interface Task {
  readonly what: string;
  readonly words: readonly string[];
  readonly goal: number;
  readonly status?: number;
}

/**
 * Held against the bare script with the very conversation of the verb. The last one has no config: everything of it has to be looked for.
 */
function talks(address: string): readonly Task[] {
  return [
    { what: "info", words: ["info", NAME], goal: 1.25 },
    { what: "info, by the monitor's address", words: ["info", address], goal: 1.25 },
    { what: "vcpuinfo", words: ["vcpuinfo", NAME], goal: 1.25 },
    { what: "vcpupin, nothing to do", words: ["vcpupin", NAME, "0", "all", "--both"], goal: 1.5 },
    { what: "setmem --static, nothing to do", words: ["setmem", NAME, "256M", "--static"], goal: 1.5 },
    { what: "setvcpus, nothing to do", words: ["setvcpus", NAME, "2"], goal: 1.5 },
  ];
}

/** Held against `node -e 0`. */
const SILENT: readonly Task[] = [
  { what: "--version", words: ["--version"], goal: 1.15 },
  { what: "a usage mistake", words: ["setmem", NAME], goal: 1.15, status: 2 },
  { what: "completion of a verb", words: ["__complete", "se"], goal: 1.15 },
];

const MACHINE = ["-machine", "q35,accel=tcg", "-m", "256M", "-smp", "cpus=2,maxcpus=4", "-device", "virtio-balloon-pci"];

/** How long a person waits: the command line, on a machine that runs and without one, and the package in somebody's program. */
export async function startUpRows(qemu: Qemu, options: StartUpOptions = {}): Promise<readonly Row[]> {
  await using folder = await privateFolder();
  const env = {
    ...process.env,
    QMPCTL_RUNTIME_DIR: join(folder.path, "run"),
    QMPCTL_CONFIG_DIR: join(folder.path, "config"),
    QMPCTL_STATE_DIR: join(folder.path, "state"),
  };
  using pipe = new Pipe(join(folder.path, "pipe"));
  const bench = new Bench(env, pipe, options);
  await bench.qmpctl("define", "--name", NAME, "--", qemu.binary, ...MACHINE, "-display", "none", "-nodefaults", "-no-user-config");
  await bench.qmpctl("start", NAME, "--paused");
  try {
    const socket = join(folder.path, "run", NAME, "control.sock");
    const rows: Row[] = [];
    for (const task of talks(`unix:${socket}`)) rows.push(await bench.talkRow(task, socket));
    for (const task of SILENT) rows.push(await bench.row(task, "node -e 0", bench.run(["-e", "0"])));
    return [...rows, await importRow(bench, folder.path)];
  } finally {
    await bench.qmpctl("destroy", NAME);
  }
}

class Bench {
  readonly #env: NodeJS.ProcessEnv;
  readonly #node: string;
  readonly #pairs: number;
  readonly #pipe: Pipe;
  readonly #tolerance: number;

  constructor(env: NodeJS.ProcessEnv, pipe: Pipe, { node = process.execPath, pairs = 31, tolerance = 1 }: StartUpOptions) {
    this.#env = env;
    this.#pipe = pipe;
    this.#node = node;
    this.#pairs = pairs;
    this.#tolerance = tolerance;
  }

  /** A run of Node. @throws Error when it ends as it should not */
  run(args: readonly string[], status = 0): () => Promise<number> {
    return wholeProcess([this.#node, ...args], { env: this.#env, output: this.#pipe, status });
  }

  async qmpctl(...words: readonly string[]): Promise<void> {
    await this.run([PROGRAM, ...words])();
  }

  async talkRow(task: Task, socket: string): Promise<Row> {
    const conversation = await hear(socket, this.run([PROGRAM, ...task.words]));
    return this.row(task, "bare script", this.run([BARE, socket, JSON.stringify(conversation)]));
  }

  row({ what, words, goal, status }: Task, name: string, against: () => Promise<number>): Promise<Row> {
    return this.compared({ what: `qmpctl: ${what}`, goal }, this.run([PROGRAM, ...words], status), name, against);
  }

  /** One line of the table: what is measured, and what it is held against. */
  async compared(
    { what, goal }: Pick<Task, "what" | "goal">,
    ours: () => Promise<number>,
    name: string,
    against: () => Promise<number>,
  ): Promise<Row> {
    const result = await compare(this.#pairs, ours, against);
    const most = goal * this.#tolerance;
    return {
      work: what,
      ours: milliseconds(result.ours),
      against: `${name}: ${milliseconds(result.against)}`,
      ratio: times(result.ratio),
      goal: `at most ${goal}${most === goal ? "" : ` (here ${times(most)})`}`,
      reached: result.ratio <= most,
    };
  }
}

/** The package in somebody's program, held against a module with nothing in it. */
async function importRow(bench: Bench, folder: string): Promise<Row> {
  const empty = join(folder, "empty.mjs");
  const whole = join(folder, "whole.mjs");
  await writeFile(empty, "");
  await writeFile(whole, `import ${JSON.stringify(join(DIST, "index.js"))};\n`);
  return bench.compared({ what: "import of the package", goal: 1.75 }, bench.run([whole]), "empty module", bench.run([empty]));
}
