import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The built program: `npm run build` makes it. */
export const program: string = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program while it runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when stdout has said so much; rejects when it ends before. */
  said(text: string): Promise<void>;
}

/** What a QEMU says of itself: each is asked, on every connection, before anything else is. */
export const WHO: Readonly<Record<string, (args: unknown) => unknown>> = {
  "query-name": () => ({ name: "guest" }),
  "query-uuid": () => ({ UUID: "00000000-0000-0000-0000-000000000000" }),
  "query-cpus-fast": () => [],
  "qom-list": () => [],
};

/** What a QEMU that runs and was never changed answers to those who only look. */
export const AT_REST: typeof WHO = {
  ...WHO,
  "query-status": () => ({ running: true, status: "running" }),
  "query-kvm": () => ({ enabled: false, present: true }),
  "query-hotpluggable-cpus": () => [],
  "query-acpi-ospm-status": () => [],
  "query-migrate": () => ({}),
  "query-memory-size-summary": () => ({ "base-memory": 268435456 }),
  "query-balloon": () => ({ actual: 268435456 }),
};

/** The folders that vitest.config.ts gives every test: none that can be made. */
export function foldersNowhere(): Readonly<Record<string, string>> {
  return Object.fromEntries(["CONFIG", "RUNTIME", "STATE"].map((name) => [`QMPCTL_${name}_DIR`, process.env[`QMPCTL_${name}_DIR`] ?? ""]));
}

/** Starts the built program as a user would, with pipes. */
export function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  if (!existsSync(program)) throw new Error(`${program}: not built, run npm run build`);
  // A test leaves nothing behind, so no cache of compiled code either.
  const child = spawn(process.execPath, [program, ...argv], {
    env: { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1", ...foldersNowhere(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = [keep(child.stdout), keep(child.stderr)];
  const ended = once(child, "close").then(([code, signal]): Ended => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout: stdout.text,
    stderr: stderr.text,
  }));
  return {
    child,
    ended,
    said: (text) =>
      Promise.race([
        stdout.has(text),
        ended.then((end) => Promise.reject(new Error(`ended without ${JSON.stringify(text)}: ${JSON.stringify(end)}`))),
      ]),
  };
}

/** Runs the built program to its end. */
export function runProgram(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return start(argv, env).ended;
}

function keep(stream: NodeJS.ReadableStream): { readonly text: string; has(text: string): Promise<void> } {
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return {
    get text() {
      return text;
    },
    has: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (text.includes(wanted)) resolve();
        };
        stream.on("data", look);
        look();
      }),
  };
}
