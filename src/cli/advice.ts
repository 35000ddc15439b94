import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { ConfigError } from "../config/config-error.ts";
import { StateError } from "../domain/model/errors.ts";
import { commandLine, shellWord } from "../domain/model/format.ts";
import { isErrorCode } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { ConnectError } from "../wire/errors.ts";

/** What the command line asked for, as far as it is known. */
interface Asked {
  readonly verb: string | undefined;
  readonly domain: string | undefined;
}

/**
 * What to do about an error that does not say it itself, as the end of its line; `undefined` where there is nothing to add.
 */
export async function adviceOn(error: unknown, { verb = "", domain }: Asked): Promise<string | undefined> {
  if (error instanceof ConfigError) return domain === undefined ? undefined : aboutConfig(error, domain);
  if (error instanceof StateError && error.state === "stopped" && domain !== undefined && !ENDS.has(verb)) {
    return `${commandLine("start", domain)} starts it`;
  }
  if (error instanceof ConnectError && ["ENOENT", "ECONNREFUSED"].includes(error.errno ?? ""))
    return "is the machine running, and is that its monitor?";
  if (isErrorCode(error, "usage") && domain !== undefined && /^(\[[\da-f:]+\]|[\w.-]+):\d+$/i.test(domain)) {
    return `a monitor's address is written tcp:${domain}, or tls:${domain}`;
  }
  // QEMU's words for a guest that has not set ACPI up.
  if (error instanceof Error && /unplug request for not supported device/.test(error.message)) {
    return /still booting/.test(error.message)
      ? "try again when it is up"
      : "the guest is still booting, or its firmware can't do it: try again when it is up";
  }
  return undefined;
}

/** Verbs whose end is so already where the machine does not run. */
const ENDS: ReadonlySet<string> = new Set(["shutdown", "destroy"]);

async function aboutConfig({ path, problem }: ConfigError, domain: string): Promise<string | undefined> {
  // Another file that the command line names.
  if (path !== resolve(domain) && basename(path) !== `${domain}.json`) return undefined;
  if (problem === "missing") return (await isMonitor(path, domain)) ? asAddress(path) : otherNames(path, domain);
  return problem !== "invalid" && problem !== "exists" && (await isSocket(path)) ? asAddress(path) : undefined;
}

function asAddress(path: string): string {
  return `a monitor's address is written ${shellWord(`unix:${path}`)}`;
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
  const list = "qmpctl list --all shows what there is";
  if (meant === undefined) return list;
  return `did you mean ${shellWord(domain.includes("/") ? path.replace(/[^/]*$/, () => `${meant}.json`) : meant)}? ${list}`;
}
