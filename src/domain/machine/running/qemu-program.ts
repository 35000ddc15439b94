import { nameOf } from "../../../config/emulator.ts";
import { kernelFileIfThere } from "../../../host/kernel-file.ts";
import { type Process, programOf } from "../../../host/processes.ts";
import { programHasText } from "../../../host/program-text.ts";
import { isQemu, qemuWords, readWords } from "../command-line.ts";

/** What QEMU's system emulators print for `--version`: every one of them has it in its file, under any name. */
const VERSION = "QEMU emulator version";

/**
 * What a process runs: `qemu`; another `other`; or it is `unseen`, as another user's program is to all but root: then only its command line
 * says that it is a QEMU, and anyone can write that.
 */
export type RunsProgram = "qemu" | "other" | "unseen";

/**
 * Looks what a process really runs. Its name, and its command line, are what it was called by: `exec -a qemu-system-x86_64 sleep` has
 * QEMU's. So the file itself is looked at, and nothing is run. Sources: /proc/PID/exe; for a QEMU that the dynamic linker was called for,
 * /proc/PID/maps.
 */
export async function programRunBy({ pid, argv }: Process): Promise<RunsProgram> {
  const program = await programOf(pid);
  if (program === undefined) return "unseen";
  const path = isLinker(program) ? linkedBy(pid, argv) : `/proc/${pid}/exe`;
  if (path === undefined) return "other";
  const has = await programHasText(path, VERSION);
  return has === undefined ? "unseen" : has ? "qemu" : "other";
}

function isLinker(program: string): boolean {
  return /^ld(-.*)?\.so/.test(nameOf(program));
}

/** The emulator that the dynamic linker loaded, as the process itself sees it; undefined if none is loaded. */
function linkedBy(pid: number, argv: readonly string[]): string | undefined {
  const [emulator = ""] = qemuWords(argv);
  const isLoaded = emulator.startsWith("/") && (kernelFileIfThere(`/proc/${pid}/maps`) ?? "").includes(` ${emulator}\n`);
  return isLoaded ? `/proc/${pid}/root${emulator}` : undefined;
}

/** Options that begin to say which machine it is: a program with two of them may be a QEMU under any name. */
const OF_MACHINES: ReadonlySet<string> = new Set(["machine", "M", "smp", "m", "accel", "enable-kvm", "qmp", "drive", "blockdev", "netdev"]);

/** Whether a process is worth a look at its program: it has QEMU's name, its mark, or its words. */
export function mayBeQemu({ argv }: Pick<Process, "argv">): boolean {
  if (isQemu(argv)) return true;
  if (argv.length < 4) return false;
  const { options, mark, monitors } = readWords(argv);
  const said = new Set(options.map(({ name }) => name).filter((name) => OF_MACHINES.has(name)));
  return mark !== undefined || monitors.length > 0 || said.size > 1;
}

/** Whether a text of command lines, with NULs between the words, can be that of a QEMU: cheap, for all processes of a host. */
export function mayBeText(text: string): boolean {
  return /qemu|kvm|qmpctl-/i.test(text) || /\0--?(machine|M|smp|qmp|accel|blockdev|netdev)\0/.test(text);
}
