import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { HostError, messageOf, UsageError } from "../../errors.ts";
import { answerOf } from "../../host/answer.ts";
import { type HostAddress, parseHost } from "../host-address.ts";
import type { HostPattern } from "./host-pattern.ts";
import type { KnownHosts, ListedHost } from "./known-hosts.ts";

const PROGRAM = "ansible-inventory";
/** An inventory may be a script that asks a cloud. */
const TIMEOUT = 120_000;
const LIMIT = 64 * 1024 * 1024;

type Variables = Readonly<Record<string, unknown>>;

/** Connections of Ansible's that go by ssh. */
const BY_SSH = /^(ansible\.builtin\.)?(smart|ssh|paramiko(_ssh)?)$/;
/** A name that can be written in a host list. */
const WORD = /^(?!-)[\w.:%+-]+$/;
/** Settings of Ansible's that say where ssh goes, or how, and that no address has room for. */
const NOT_FOLLOWED = ["ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args", "ansible_ssh_executable"];

/**
 * Reads an inventory of Ansible's by its own `ansible-inventory`: a file, a folder, a script, or what else it takes for `-i`.
 *
 * @throws UsageError if there is no such file; HostError if the program is missing or fails, with its words; the signal's reason
 */
export async function readInventory(path: string, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<KnownHosts> {
  // Ansible takes a list of hosts in place of a path, and tells it by its comma.
  const isList = path.includes(",");
  const source = isList ? path : resolve(path);
  if (!isList) await checkThere(source, path);
  const text = await answerOf(PROGRAM, [`--inventory=${source}`, "--list"], {
    timeout: TIMEOUT,
    limit: LIMIT,
    // It works in UTF-8 only. Half an inventory is none: a source of it that can't be read is an error.
    env: { LC_ALL: "C.UTF-8", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: "True", ANSIBLE_NOCOLOR: "1" },
    signal,
    from: "ansible-core",
  });
  return knownIn(parsed(text, path), path);
}

async function checkThere(source: string, path: string): Promise<void> {
  await stat(source).catch((cause: unknown) => {
    throw new UsageError(
      `--inventory ${path}: ${messageOf(cause).replace(/^\w+: |, \w+ '.*'$/gs, "")}`,
      { value: path, expected: "an inventory of Ansible's: a file, a folder or a script" },
      { cause },
    );
  });
}

function parsed(text: string, path: string): Variables {
  try {
    const value = JSON.parse(text) as unknown;
    if (isObject(value)) return value;
  } catch (cause) {
    throw new HostError(`${PROGRAM}: what it says of ${path} is no JSON`, {}, { cause });
  }
  throw new HostError(`${PROGRAM}: what it says of ${path} has no groups`);
}

function knownIn(listed: Variables, path: string): KnownHosts {
  const meta = listed["_meta"];
  const variables = isObject(meta) && isObject(meta["hostvars"]) ? meta["hostvars"] : {};
  const groups = new Map<string, readonly HostPattern[]>();
  const names = new Set(Object.keys(variables));
  for (const [name, group] of Object.entries(listed)) {
    if (name === "_meta" || !isObject(group)) continue;
    const [hosts, children] = [textsIn(group["hosts"]), textsIn(group["children"])];
    for (const host of hosts) names.add(host);
    groups.set(name, [...hosts.map((each) => named(each, false)), ...children.map((each) => named(each, true))]);
    // A group without anything in it is in its parent only.
    for (const child of children) if (!groups.has(child) && !Object.hasOwn(listed, child)) groups.set(child, []);
  }
  const find = (name: string): ListedHost | undefined => {
    if (!names.has(name)) return undefined;
    try {
      return { name, at: addressIn(name, Object.hasOwn(variables, name) ? variables[name] : {}, path) };
    } catch (error) {
      if (error instanceof UsageError) return { name, at: { host: name }, refusal: error };
      throw error;
    }
  };
  return { source: path, groups, find };
}

function named(name: string, isGroup: boolean): HostPattern {
  return { text: isGroup ? `@${name}` : name, isGroup, isExcluded: false, pieces: [name] };
}

/** @throws UsageError where ssh does not lead there */
function addressIn(name: string, found: unknown, path: string): HostAddress {
  const variables = isObject(found) ? found : {};
  const isWord = WORD.test(name);
  const refuse = (why: string): UsageError =>
    new UsageError(`${isWord ? name : JSON.stringify(name)} of ${path}: ${why}${isWord ? `; leave it out with !${name}` : ""}`, {
      value: name,
      expected: isWord ? `!${name}` : "a host that is reached by ssh",
    });
  const valueOf = (...keys: readonly string[]): string | undefined => {
    const key = keys.find((each) => Object.hasOwn(variables, each) && !["", null].includes(variables[each] as string | null));
    if (key === undefined) return undefined;
    const value = variables[key];
    if (typeof value !== "string" && typeof value !== "number") throw refuse(`its ${key} is no text`);
    if (String(value).includes("{{")) throw refuse(`its ${key} is a template, ${String(value)}, which only a playbook works out`);
    return String(value);
  };
  if (!isWord) throw refuse("a host's name has letters, digits and .:%+-_ here");
  const connection = valueOf("ansible_connection") ?? "ssh";
  if (!BY_SSH.test(connection)) throw refuse(`its ansible_connection is ${connection}, and this goes by ssh only`);
  const other = NOT_FOLLOWED.find((key) => valueOf(key) !== undefined);
  if (other !== undefined) throw refuse(`it has ${other}; options of ssh are taken from ssh_config, for its Host`);
  const host = valueOf("ansible_host", "ansible_ssh_host") ?? name;
  const user = valueOf("ansible_user", "ansible_ssh_user");
  const port = valueOf("ansible_port", "ansible_ssh_port");
  const place = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  try {
    return parseHost(`${user === undefined ? "" : `${user}@`}${place}${port === undefined ? "" : `:${port}`}`);
  } catch (cause) {
    throw refuse(messageOf(cause));
  }
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

function isObject(value: unknown): value is Variables {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
