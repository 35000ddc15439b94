import { readdirSync } from "node:fs";
import { geteuid } from "node:process";
import { HostError, messageOf } from "../errors.ts";
import { kernelFileIfThere } from "./kernel-file.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** How long a tool may take, in milliseconds. */
const TIMEOUT = 20_000;

/** A job of `at`: its number, and the key by which it is known to be ours. */
export interface AtJob {
  readonly job: string;
  readonly key: string;
}

/** Why there is no `at` to be used; null if there is: its daemon has to run. */
export async function hasAtd(): Promise<string | null> {
  const isAtd = (pid: string): boolean => {
    if (kernelFileIfThere(`/proc/${pid}/comm`)?.trim() !== "atd") return false;
    const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(kernelFileIfThere(`/proc/${pid}/status`) ?? "")?.[1]);
    return uid === 0 || uid === geteuid?.() || isDaemonUser(pid);
  };
  if (!readdirSync("/proc").some((name) => /^\d+$/.test(name) && isAtd(name))) return "no atd runs, so at would start nothing";
  return run("at", ["-V"]).then(
    () => null,
    (error: unknown) => `at can't be used (${messageOf(error)})`,
  );
}

/** On Debian it gives up being root, and its real user id stays what it was. */
function isDaemonUser(pid: string): boolean {
  return /^Uid:\s+0\s/m.test(kernelFileIfThere(`/proc/${pid}/status`) ?? "");
}

/** What `at` is to run, and when. */
interface Wanted {
  readonly key: string;
  /** Milliseconds since 1970, at a whole minute. */
  readonly due: number;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Gives `at` a job. It reads a script of sh, so each word is quoted; and it keeps the environment and the folder that it is run in, so that
 * it gets none but ours.
 *
 * @throws HostError with its own words
 */
export async function armAtJob({ key, due, words, env }: Wanted): Promise<AtJob> {
  const time = new Date(due).toISOString().replace(/[-T:]/g, "").slice(0, 12);
  const variables = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  const script = `# qmpctl-end-${key}\n${variables.join("")}exec ${words.map(quoted).join(" ")}\n`;
  // In UTC, so that no hour is there twice.
  const said = await run("at", ["-t", time], script);
  const job = /^job (\d+) at /m.exec(said)?.[1];
  if (job === undefined) throw new HostError(`at: it does not say which job it took: ${said.trim()}`);
  return { job, key };
}

/** Removes a job, if it is ours still: numbers may be used again. @throws HostError */
export async function disarmAtJob({ job, key }: AtJob): Promise<void> {
  const script = await run("at", ["-c", job]).catch(() => "");
  if (script.split("\n").includes(`# qmpctl-end-${key}`)) await run("atrm", [job]);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Runs a tool with a bare environment, and resolves with all that it says. */
function run(tool: string, words: readonly string[], input = ""): Promise<string> {
  const { PATH, HOME, USER, LOGNAME } = toolEnvironment();
  const env = { PATH, HOME, USER, LOGNAME, LC_ALL: "C", TZ: "UTC0" };
  return new Promise((resolve, reject) => {
    const options = { timeout: TIMEOUT, killSignal: "SIGKILL", env, cwd: "/" } as const;
    const child = childProcesses().execFile(tool, words, options, (cause, stdout, stderr) => {
      if (cause === null) return resolve(stdout + stderr);
      const said = stderr.trim().split("\n").at(-1) ?? "";
      const why = (cause.code as unknown) === "ENOENT" ? `there is no ${tool} on this machine` : said || messageOf(cause);
      reject(new HostError(`${tool}: ${why}`, { command: [tool, ...words], stderr }, { cause }));
    });
    // A tool that does not read ends the pipe.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
