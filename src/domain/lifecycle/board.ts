import { resolve } from "node:path";
import { boardOf, type BoardQuestion, type CommandLineOptions, type Definition } from "../../config/command-line.ts";
import { fromCommandLine, mustBeMachine } from "../../config/command-line.ts";
import { escapeCommas, splitOptions } from "../../config/options.ts";
import type { BoardDefaults } from "../../config/qemu-values.ts";
import { sectionsInTheWay } from "../../config/readconfig.ts";
import { readBoundedText } from "../../config/safe-file.ts";
import { formatSize } from "../../config/size.ts";
import { messageOf, UsageError } from "../../errors.ts";
import { findProgram } from "../../host/programs.ts";

/** How long an emulator may take to answer, in milliseconds. */
const TIMEOUT = 10_000;

/**
 * Makes a launch config from a QEMU command line whose paths are absolute. If it leaves a size to the board, the emulator is asked. Files
 * of `-readconfig` are read too.
 *
 * @throws UsageError as `fromCommandLine` does; also when the emulator does not say, or such a file has what the config keeps
 */
export async function defineFrom(argv: readonly string[], options: CommandLineOptions): Promise<Definition> {
  mustBeMachine(argv, options);
  const wrong = await refusedSections(argv.slice(1));
  if (wrong.length > 0) {
    const expected = "the file without that, and the command line with it (-m, -smp, -name)";
    throw new UsageError(`command line: ${wrong.join("; ")}`, { value: argv, expected });
  }
  const question = boardOf(argv);
  if (question === undefined) return fromCommandLine(argv, options);
  const program = findProgram(question.emulator);
  if ("path" in program) return fromCommandLine(argv, { ...options, board: await askBoard(question, program.path) });
  if (question.machine !== undefined) throw unknown(question.machine, `${question.emulator}: ${program.why}`);
  const made = fromCommandLine(argv, { ...options, board: USUAL });
  const why = `${program.why}, so it can't be asked what its machine has by default`;
  const taken = `taken for ${formatSize(USUAL.memory)} and ${USUAL.vcpus} vCPU, as most machines have; -m and -smp set others`;
  return { ...made, notes: [...made.notes, `${question.emulator}: ${why}: ${taken}`] };
}

/** What QEMU gives a machine whose board has no sizes of its own. */
const USUAL: BoardDefaults = { memory: 128 * 2 ** 20, vcpus: 1 };

/**
 * What stands in the way in the files that a command line reads with `-readconfig`, with the file's name. Files that can't be read are left
 * for QEMU to report.
 */
export async function refusedSections(args: readonly string[], folder: string = "/"): Promise<readonly string[]> {
  const files = splitOptions(args)
    .filter(({ name }) => name === "readconfig")
    .map(({ value = "" }) => resolve(folder, value));
  const found = files.map(async (file) => {
    const text = await readBoundedText(file).catch(() => "");
    return sectionsInTheWay(text).map((what) => `${file}: ${what}`);
  });
  return (await Promise.all(found)).flat();
}

/** Asks first without what the command line gives the board, then with what it is booted from. */
async function askBoard({ machine, boot }: BoardQuestion, program: string): Promise<BoardDefaults> {
  const type = machine === undefined ? "" : `type=${escapeCommas(machine)},`;
  const words = ["-machine", `${type}accel=tcg:kvm`, "-nodefaults", "-no-user-config", "-display", "none", "-S"];
  try {
    return await look(program, words).catch((error: unknown) => {
      if (boot.length === 0) throw error;
      return look(program, [...words, ...boot]);
    });
  } catch (error) {
    throw unknown(machine, messageOf(error).replaceAll(/\s*\n\s*/g, " / "), error);
  }
}

/** Starts a QEMU, stopped, and reads what it has. The guest never runs. */
async function look(program: string, words: readonly string[]): Promise<BoardDefaults> {
  const { spawnQemu } = await import("../../qmp/spawn.ts");
  await using qemu = await spawnQemu(program, words, { timeout: TIMEOUT });
  const [memory, vcpus] = await Promise.all([qemu.session.execute("query-memory-size-summary"), qemu.session.execute("query-cpus-fast")]);
  return { memory: memory["base-memory"], vcpus: vcpus.length };
}

function unknown(machine: string | undefined, why: string, cause?: unknown): UsageError {
  const board = machine ?? "the machine";
  const message = `command line: it leaves its memory (-m) or its vCPUs (-smp) to ${board}, and that could not be asked for: ${why}`;
  return new UsageError(message, { value: machine, expected: "-m SIZE and -smp N on the command line" }, { cause });
}
