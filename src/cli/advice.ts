import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { ConfigError } from "../config/config-error.ts";
import { StateError } from "../domain/model/errors.ts";
import { commandLine, shellWord } from "../domain/model/format.ts";
import { isErrorCode } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { ConnectError } from "../wire/errors.ts";

/** What the command line asked for, as far as we know it. */
interface Asked {
  readonly verb: string | undefined;
  readonly domain: string | undefined;
}

/** What to do about an error, if its message does not say that. It goes to the end of the message. `undefined`: nothing to add. */
export async function adviceOn(error: unknown, { verb = "", domain }: Asked): Promise<string | undefined> {
  if (error instanceof ConfigError) return domain === undefined ? undefined : aboutConfig(error, domain);
  if (error instanceof StateError && error.state === "stopped" && domain !== undefined && !ENDS.has(verb)) {
    return `${commandLine("start", domain)} starts it`;
  }
  if (error instanceof ConnectError && ["ENOENT", "ECONNREFUSED"].includes(error.errno ?? ""))
    return "check that the machine is running, and that this is its monitor";
  if (isErrorCode(error, "usage") && domain !== undefined && /^(\[[\da-f:]+\]|[\w.-]+):\d+$/i.test(domain)) {
    return `write the address of a monitor as tcp:${domain} or tls:${domain}`;
  }
  // QEMU says this of a guest that has not set up ACPI yet.
  if (error instanceof Error && /unplug request for not supported device/.test(error.message)) {
    return /still booting/.test(error.message)
      ? "try again when it is up"
      : "the guest is still booting (try again when it is up), or its firmware can't do this";
  }
  return undefined;
}

/** Verbs that want the machine stopped: no advice to start it. */
const ENDS: ReadonlySet<string> = new Set(["shutdown", "destroy"]);

async function aboutConfig({ path, problem }: ConfigError, domain: string): Promise<string | undefined> {
  const there = /^ssh:\/\/([^/]+)\//.exec(domain)?.[1];
  // The folder is that host's.
  if (there !== undefined) return problem === "missing" ? `${commandLine("-H", there, "list", "--all")} shows all domains` : undefined;
  // The error is about another file of the command line.
  if (path !== resolve(domain) && basename(path) !== `${domain}.json`) return undefined;
  if (problem === "missing") return (await isMonitor(path, domain)) ? asAddress(path) : otherNames(path, domain);
  return problem !== "invalid" && problem !== "exists" && (await isSocket(path)) ? asAddress(path) : undefined;
}

function asAddress(path: string): string {
  return `write the address of a monitor as ${shellWord(`unix:${path}`)}`;
}

async function isMonitor(path: string, domain: string): Promise<boolean> {
  return !domain.endsWith(".json") && domain.includes("/") && (/\.so?ck(et)?$|qmp|monitor/i.test(basename(path)) || (await isSocket(path)));
}

async function isSocket(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isSocket() === true;
}

async function otherNames(path: string, domain: string): Promise<string> {
  const files = await readdir(dirname(path)).catch(() => []);
  const names = files.filter((file) => file.endsWith(".json")).map((file) => basename(file, ".json"));
  const meant = nearest(basename(path, ".json"), names);
  const list = "qmpctl list --all shows all domains";
  if (meant === undefined) return list;
  return `did you mean ${shellWord(domain.includes("/") ? path.replace(/[^/]*$/, () => `${meant}.json`) : meant)}? ${list}`;
}
