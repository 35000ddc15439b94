import { readFileSync } from "node:fs";
import { join } from "node:path";
import { programIs } from "../host/own-program.ts";
import type { Allowed } from "../remote/allowed.ts";
import { endChildren, killChildren } from "../wire/children.ts";
import { directOutput } from "./direct-output.ts";
import { EXIT } from "./exit-code.ts";
import { harmless } from "./harmless.ts";
import type { Sink } from "./verb.ts";

declare const __dirname: string;

const interrupted = new AbortController();
/** For a verb whose work has a harder way to end. */
let second: AbortController | undefined;
const readerGone = new Error("nobody reads the output any more");
// Node itself would print the message with any control characters in it.
process.on("uncaughtException", (error) => {
  sinkOf("stderr").write(`qmpctl: internal error: ${error.stack ?? error.message}\n`);
  process.exit(EXIT.failed);
});
// For a timer of the host's, which takes a change back that has an end.
programIs(() => ({ path: join(__dirname, "main.js") }));
void main().then((code) => process.exit(code));

async function main(): Promise<number> {
  const [{ run }, { openFacade }] = await Promise.all([import("./command.ts"), import("./open.ts")]);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interrupt(name));
  const stdout = sinkOf("stdout");
  let stderr: Sink | undefined;
  const io = {
    stdout,
    get stderr() {
      return (stderr ??= sinkOf("stderr"));
    },
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    signal: interrupted.signal,
    secondInterrupt: () => (second ??= new AbortController()).signal,
  };
  const code = await run(process.argv.slice(2), {
    io,
    facade: openFacade(
      process.env,
      process.geteuid?.() === 0,
      async (address) => (await import("./remote.ts")).openRemote(address, process.env, interrupted.signal),
      ["qmpctl", ...process.argv.slice(2)],
    ),
    host: async (name, how) => (await import("./remote.ts")).openHost(name, process.env, interrupted.signal, how),
    fleet: async (hosts, how) => (await import("./remote.ts")).crewOf(hosts, process.env, interrupted.signal, how),
    serve,
    version,
  });
  const [lost] = await Promise.all([stdout.written(), endChildren()]);
  if (lost === undefined) return code;
  io.stderr.write(`qmpctl: the answer could not be written: ${lost.message}\n`);
  return code === EXIT.done ? EXIT.failed : code;
}

// After the first signal the library undoes what is half done. A second signal means that the user does not want to wait for that.
function interrupt(name: string): void {
  if (interrupted.signal.aborted) {
    if (second?.signal.aborted === false) return second.abort(new Error(`interrupted once more by ${name}`));
    killChildren();
    process.exit(EXIT.interrupted);
  }
  interrupted.abort(new Error(`interrupted by ${name}`));
}

/**
 * An output of this process as a sink. Its stream is opened if a direct write is not enough. If the reader has gone, the work ends silently
 * as with SIGPIPE. Other failures are kept.
 */
function sinkOf(name: "stdout" | "stderr"): Sink & { written(): Promise<Error | undefined> } {
  let failure: NodeJS.ErrnoException | undefined;
  const fail = (error: NodeJS.ErrnoException): void => {
    failure ??= error;
    if (isGone(error) && name === "stdout") interrupted.abort(readerGone);
  };
  let opened: NodeJS.WriteStream | undefined;
  const stream = (): NodeJS.WriteStream => (opened ??= process[name].on("error", fail));
  const direct = directOutput(name === "stdout" ? 1 : 2);
  if (direct === undefined) stream();
  const send = (text: string): void => {
    if (direct === undefined || opened !== undefined) return void stream().write(text);
    const written = direct(text);
    if ("error" in written) fail(written.error);
    else if (written.left.length > 0) stream().write(written.left);
  };
  const unread = (): boolean => failure === undefined && !interrupted.signal.aborted && opened?.writableNeedDrain === true;
  return {
    drained: () => (unread() ? untilDrained(stream()) : Promise.resolve()),
    write: (text) => void (failure === undefined && interrupted.signal.reason !== readerGone && send(harmless(text))),
    written: async () => {
      if (failure === undefined && opened !== undefined) await written(opened);
      return failure === undefined || isGone(failure) ? undefined : failure;
    },
    isTTY: opened?.isTTY === true,
    get columns() {
      // A terminal that does not know its size says 0. The program that started us may know it.
      return opened?.isTTY === true ? opened.columns || columnsIn(process.env["COLUMNS"]) || 80 : undefined;
    },
  };
}

function columnsIn(text = ""): number {
  return /^[1-9]\d{1,3}$/.test(text) ? Number(text) : 0;
}

/** Resolves when a stream takes more, when it never will, or when an interrupt ends the writing. */
function untilDrained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      for (const event of ["drain", "error", "close"]) stream.off(event, over);
      interrupted.signal.removeEventListener("abort", over);
      resolve();
    };
    for (const event of ["drain", "error", "close"]) stream.on(event, over);
    interrupted.signal.addEventListener("abort", over, { once: true });
  });
}

/** How long we wait for a slow reader after an interrupt, in milliseconds. */
const LAST_WAIT = 1000;

/** Resolves when the reader has everything that was written. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => void setTimeout(resolve, LAST_WAIT);
    if (interrupted.signal.aborted) stop();
    else interrupted.signal.addEventListener("abort", stop, { once: true });
    stream.write("", () => resolve());
  });
}

function isGone(error: NodeJS.ErrnoException): boolean {
  return error.code === "EPIPE";
}

/** As the far end that is sent to a host does. */
async function serve(allowed?: Allowed): Promise<void> {
  const [{ verbs }, { misuse }] = await Promise.all([import("./command.ts"), import("./options.ts")]);
  const stray = allowed?.verbs?.find((name) => !Object.hasOwn(verbs, name));
  if (stray !== undefined) throw misuse(`--verbs ${stray}: there is no such verb`, stray, "verbs, as info,setmem");
  await (await import("./far-process.ts")).serveProcess({ version: await version(), allowed });
}

async function version(): Promise<string> {
  const manifest = JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8")) as { version: string };
  return manifest.version;
}
