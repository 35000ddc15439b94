#!/usr/bin/env -S npx tsx
/**
 * Makes what the tests on real QEMU need: QEMUs of other releases, a Linux guest and, if asked for, a whole Debian host to boot.
 * It installs nothing and puts everything into one folder. A second run only checks it.
 */
import { access, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { findMirror, KEYRING } from "./testbed/apt.ts";
import { isOnPath, run } from "./testbed/command.ts";
import { fetchEmulator, SUITES, versionOf } from "./testbed/emulators.ts";
import { buildGuest } from "./testbed/guest.ts";
import { buildHost, HOST_TOOLS } from "./testbed/host.ts";
import { checkedHosts, tryHosts } from "./testbed/try-hosts.ts";

/** Commands that the tests run, most of them those on real QEMU, and the Debian package of each. */
const TOOLS: ReadonlyMap<string, string> = new Map([
  ["qemu-system-x86_64", "qemu-system-x86"],
  ["qemu-storage-daemon", "qemu-utils"],
  ["qemu-ga", "qemu-guest-agent"],
  // The manual pages are set by them.
  ["groff", "groff-base"],
  ["man", "man-db"],
]);

/** Emulators of other architectures. Only test/qemu/corpus.test.ts starts them, and it skips those that are missing. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["qemu-system-aarch64", "qemu-system-arm"],
  ["qemu-system-ppc64", "qemu-system-ppc"],
  ["qemu-system-riscv64", "qemu-system-misc"],
]);

/** What hosts of their own on this machine take, and the Debian package of each: see scripts/lab/hosts.ts. */
const HOSTS: ReadonlyMap<string, string> = new Map([
  ["sshd", "openssh-server"],
  ["ssh", "openssh-client"],
  ["ip", "iproute2"],
  ["unshare", "util-linux"],
  ["ps", "procps"],
  // For test/qemu/ansible.test.ts, which is skipped without it.
  ["ansible-playbook", "ansible-core"],
  // A login shell that is unlike all others, and small.
  ["tcsh", "tcsh"],
]);

const HELP = `usage: npm run testbed -- [options] [SUITE...]

Fetches the QEMU of each Debian release (default: ${SUITES.join(" ")}) and builds the Linux guest for the tests.

  --dir DIR      the folder (default: $QMPCTL_TESTBED, else .testbed in the project)
  --mirror URL   the Debian mirror (default: the one in this host's apt sources)
  --install      first install what the tests need, with apt: ${[...TOOLS.values(), ...OTHERS.values()].join(" ")}
  --no-guest     do not build the guest
  --host         also build a small Debian with systemd, sshd, Node and QEMU, which test/qemu/real-host.test.ts boots; takes root
  --hosts        also try the hosts of test/qemu/remote.test.ts: namespaces with an sshd each; takes root (with --install: openssh-server, ansible-core)
  --hosts        also try the hosts of test/qemu/remote.test.ts: namespaces with an sshd each; takes root (with --install: openssh-server)
  --hosts N      instead: start N of them, to try qmpctl on by hand, and say how, until Ctrl-C
  --help

Needs an x86_64 host with apt-get, dpkg and the package debian-archive-keyring.
Exit code: 0 everything is there, 1 something is not available (the rest is there), 2 usage.`;

interface Options {
  readonly folder: string;
  readonly suites: readonly string[];
  readonly mirror: string | undefined;
  readonly install: boolean;
  readonly guest: boolean;
  readonly host: boolean;
  readonly hosts: boolean;
  /** How many hosts to start for trying by hand; null for none. */
  readonly count: number | null;
}

/** The number behind `--hosts`, and the words without it. */
function countIn(words: readonly string[]): { readonly args: readonly string[]; readonly count: number | null } {
  const at = words.findIndex((word) => /^--hosts(=\d+)?$/.test(word));
  const text = words[at]?.split("=")[1] ?? (at < 0 ? undefined : words[at + 1]);
  if (text === undefined || !/^[1-9]\d{0,2}$/.test(text)) return { args: words, count: null };
  const isJoined = words[at]?.includes("=") === true;
  return { args: [...words.slice(0, at), "--hosts", ...words.slice(at + (isJoined ? 1 : 2))], count: Number(text) };
}

function readOptions(words: readonly string[]): Options | undefined {
  const { args, count } = countIn(words);
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      dir: { type: "string" },
      mirror: { type: "string" },
      install: { type: "boolean" },
      "no-guest": { type: "boolean" },
      host: { type: "boolean" },
      hosts: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const project = new URL("..", import.meta.url).pathname;
  return {
    folder: resolve(values.dir ?? process.env["QMPCTL_TESTBED"] ?? join(project, ".testbed")),
    suites: positionals.length > 0 ? positionals : SUITES,
    mirror: values.mirror,
    install: values.install ?? false,
    guest: !values["no-guest"],
    host: values.host ?? false,
    hosts: values.hosts ?? false,
    count,
  };
}

async function installTools({ host, hosts }: Options): Promise<void> {
  const environment = ["DEBIAN_FRONTEND=noninteractive"];
  await run("env", [...environment, "apt-get", "-qq", "update"]);
  const asked = [...(host ? HOST_TOOLS.values() : []), ...(hosts ? HOSTS.values() : [])];
  const packages = [...new Set([...TOOLS.values(), ...OTHERS.values(), ...asked]), "debian-archive-keyring"];
  await run("env", [...environment, "apt-get", "-qq", "-y", "--no-install-recommends", "install", ...packages]);
}

/** Does one piece of the work and prints the result. If it fails, the others go on. */
async function piece(name: string, work: () => Promise<string>): Promise<boolean> {
  try {
    console.log(`${name}: ${await work()}`);
    return true;
  } catch (error) {
    console.error(`${name}: not available here: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

async function toolOnPath(tool: string, from: string): Promise<string> {
  if (!(await isOnPath(tool))) throw new Error(`apt-get install --no-install-recommends ${from}, or use --install`);
  return tool === "qemu-ga" ? "there" : versionOf(tool);
}

async function main(options: Options): Promise<boolean> {
  if (options.install) await installTools(options);
  if (options.count !== null) return (console.log(await tryHosts(options.count)), true);
  await mkdir(options.folder, { recursive: true });
  for (const [tool, from] of OTHERS)
    if (!(await isOnPath(tool)))
      console.log(`${tool}: missing; tests that need it are skipped (apt-get install --no-install-recommends ${from}, or use --install)`);
  const tools = await Promise.all([...TOOLS].map(([tool, from]) => piece(tool, () => toolOnPath(tool, from))));
  await access(KEYRING).catch(() => {
    throw new Error(`${KEYRING} is missing: install debian-archive-keyring, or use --install`);
  });
  const mirror = options.mirror ?? (await findMirror());
  const pieces = options.suites.map((suite) => piece(`QEMU of ${suite}`, () => fetchEmulator(suite, mirror, join(options.folder, "qemu"))));
  if (options.guest) pieces.push(piece("guest", () => buildGuest(mirror, join(options.folder, "guest"))));
  if (options.hosts) pieces.push(piece("hosts", checkedHosts));
  if (options.host) pieces.push(piece("host", () => buildHost(mirror, join(options.folder, "host"))));
  return [...tools, ...(await Promise.all(pieces))].every(Boolean);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(HELP);
  else process.exitCode = (await main(options)) ? 0 : 1;
} catch (error) {
  console.error(`testbed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
}
