import { formatTime, HostError } from "../errors.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** Limits of {@link answerOf}. */
export interface AnswerOptions {
  /** Milliseconds until the program must have ended. */
  readonly timeout: number;
  /** How much it may write, in bytes. */
  readonly limit: number;
  /** Variables besides the environment of the host's tools. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** What to install where there is no such program. */
  readonly from?: string;
}

/** How many of a program's last words go into a message, in characters. */
const LAST_WORDS = 400;

/**
 * Runs a program, which is given no input, and resolves with what it wrote on stdout.
 *
 * @throws HostError with the program's own words when it fails, writes too much or does not end in time; the signal's reason as it is
 */
export async function answerOf(program: string, words: readonly string[], options: AnswerOptions): Promise<string> {
  const { timeout, limit, env = {}, signal } = options;
  signal?.throwIfAborted();
  const settings = { timeout, killSignal: "SIGKILL", maxBuffer: limit, encoding: "utf8", env: { ...toolEnvironment(), ...env } } as const;
  return new Promise((resolve, reject) => {
    const child = childProcesses().execFile(program, words, settings, (cause, stdout, stderr) => {
      signal?.removeEventListener("abort", stop);
      if (signal?.aborted === true) return reject(signal.reason);
      if (cause === null) return resolve(stdout);
      const command = [program, ...words];
      reject(new HostError(`${program}: ${whyItFailed(cause, stderr, options)}`, { command, stderr }, { cause }));
    });
    const stop = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", stop, { once: true });
    child.stdin?.on("error", () => undefined).end();
  });
}

type Failure = Error & { readonly code?: unknown; readonly killed?: boolean };

function whyItFailed(cause: Failure, stderr: string, { timeout, limit, from }: AnswerOptions): string {
  if (cause.code === "ENOENT") return `there is no such program${from === undefined ? "" : `, it comes with ${from}`}`;
  if (cause.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `it writes more than ${limit} bytes`;
  if (cause.killed === true) return `no end after ${formatTime(timeout)}`;
  const said = stderr.replace(/\s+/g, " ").trim();
  return said.slice(-LAST_WORDS) || `it ended with status ${String(cause.code)}`;
}
