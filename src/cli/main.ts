#!/usr/bin/env node
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Sink } from "./verb.ts";

cacheCompiledCode();
const interrupted = new AbortController();
process.exit(await main());

async function main(): Promise<number> {
  const [{ run }, { openFacade }] = await Promise.all([import("./command.ts"), import("./open.ts")]);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interrupt(name));
  const stdout = sink(process.stdout, () => interrupted.abort(new Error("nobody reads the output any more")));
  const stderr = sink(process.stderr, () => {});
  const io = { stdout, stderr, env: process.env, signal: interrupted.signal };
  return run(process.argv.slice(2), { io, facade: openFacade(process.env), version });
}

// The first signal lets the library undo what is half done; whoever sends a second one does not want to wait for that.
function interrupt(name: string): void {
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort(new Error(`interrupted by ${name}`));
}

function sink(stream: NodeJS.WriteStream, onGone: () => void): Sink {
  let gone = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    gone = true;
    onGone();
  });
  return {
    write: (text) => void (gone || stream.write(text)),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
  };
}

async function version(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const manifest = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}

// Since Node 22. In a folder of our own, never the shared one in /tmp: who can write there can make us run his code.
function cacheCompiledCode(): void {
  const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };
  const root = process.getuid?.() === 0 ? "/var/cache" : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  enableCompileCache?.(join(root, "qmpctl"));
}
