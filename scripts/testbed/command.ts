import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execFileAsync = promisify(execFile);

/** Runs a tool of the host, without a shell, and resolves with its stdout. An error has its stderr. */
export async function run(file: string, args: readonly string[], options: { readonly cwd?: string } = {}): Promise<string> {
  try {
    const { stdout } = await execFileAsync(file, args, { ...options, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, LC_ALL: "C" } });
    return stdout;
  } catch (error) {
    const stderr = (error as { stderr?: string }).stderr?.trim();
    const last = stderr?.split("\n").at(-1);
    throw new Error(`${file} ${args[0] ?? ""}: ${last || String(error)}`, { cause: error });
  }
}

/** Whether a command of that name is on the PATH. */
export async function isOnPath(name: string): Promise<boolean> {
  return execFileAsync("which", [name]).then(
    () => true,
    () => false,
  );
}
