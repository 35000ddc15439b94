import { Readable } from "node:stream";
import { run } from "../../src/cli/command.ts";
import { harmless } from "../../src/cli/harmless.ts";
import { openFacade } from "../../src/cli/open.ts";
import type { Sink } from "../../src/cli/verb.ts";
import { plainWords } from "./words.ts";

/** Verbs of which the folder or the whole environment of their process is a part: they get a process of their own. */
const PROCESS = new Set(["define", "start", "restart", "apply", "events"]);

/** Runs a command line of qmpctl in this process. Resolves with what it says on both streams; undefined if a shell has to run it. */
export async function runHere(line: string, variables: NodeJS.ProcessEnv): Promise<string | undefined> {
  const [program, ...words] = plainWords(line) ?? [];
  if (program !== "qmpctl" || words.some((word) => PROCESS.has(word) || /^(-H|--host|ssh:)/.test(word))) return undefined;
  let said = "";
  const sink: Sink = { write: (text) => void (said += harmless(text)), isTTY: false, columns: undefined };
  await run(words, {
    io: { stdout: sink, stderr: sink, stdin: Readable.from([]), env: variables, signal: new AbortController().signal },
    facade: openFacade(variables, process.geteuid?.() === 0),
    host: (name) => Promise.reject(new Error(`${name}: another host needs a process of its own`)),
    fleet: (hosts) => Promise.reject(new Error(`${hosts}: other hosts need a process of their own`)),
    serve: () => Promise.reject(new Error("serve needs a process of its own")),
    version: () => Promise.resolve("0.0.0"),
  });
  return said;
}
