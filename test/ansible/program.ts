import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the built collection is: `npm run build` makes it. */
export const COLLECTION: string = fileURLToPath(new URL("../../dist/ansible/ansible_collections/qmpctl/qemu", import.meta.url));

/** The word that Ansible puts the arguments in place of. */
export const MARKER = "<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>";

/** A module's text as Ansible sends it, with the arguments of a task filled in. */
export function filled(module: "domain" | "domain_info", given: object): string {
  const path = `${COLLECTION}/plugins/modules/${module}.js`;
  if (!existsSync(path)) throw new Error(`${path}: not built, run npm run build`);
  return readFileSync(path, "utf8").replaceAll(MARKER, () => ascii(given));
}

/** As Python writes JSON. */
function ascii(value: object): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A module while it runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts Node as Ansible does: the module comes by stdin, or is a file that the words name. */
export function startNode(stdin: string, words: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, words, { env: { PATH: process.env["PATH"], ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.end(stdin);
  return { child, ended: once(child, "close").then(([code]): Ended => ({ code: code as number | null, stdout, stderr })) };
}

/** Runs a module to its end, as Ansible does with pipelining. */
export function runPiped(module: "domain" | "domain_info", given: object, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return startNode(filled(module, given), [], env).ended;
}
