import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Extras, NO_EXTRAS } from "../../../config/import/extras.ts";
import { extrasOfXml } from "../../../config/import/libvirt-xml.ts";
import { extrasOfProxmox } from "../../../config/import/proxmox-config.ts";
import { UsageError } from "../../../errors.ts";
import { answerOf } from "../../../host/answer.ts";
import type { ImportSource } from "./import-source.ts";

/** What an owner said of its machine. */
export interface Said {
  /** The output of its converter. */
  readonly text: string;
  /** Where that comes from, for messages. */
  readonly from: string;
  readonly extras: Extras;
  /** What the owner says that the machine does, if that is not stopped; null if it is, or nobody could be asked. */
  readonly running: string | null;
}

/** How long an owner's tool may take, in milliseconds. */
const TIMEOUT = 30_000;
const LIMIT = 4 * 1024 * 1024;

/** Asks the owner of a machine for its command line. @throws UsageError for a name that can't be one; HostError when its tool fails */
export async function askOwner(source: ImportSource, signal: AbortSignal | undefined): Promise<Said> {
  if ("text" in source) return { text: source.text, from: source.file, extras: NO_EXTRAS, running: null };
  if (source.from === "proxmox") return askProxmox(source.id, signal);
  return "xml" in source ? askLibvirtOfXml(source, signal) : askLibvirt(source, signal);
}

type Named = Extract<ImportSource, { readonly name: string }>;
type Written = Extract<ImportSource, { readonly xml: string }>;
type Run = (...words: readonly string[]) => Promise<string>;

function virsh(connect: string | undefined, signal: AbortSignal | undefined): Run {
  if (connect?.startsWith("-") === true || connect === "")
    throw new UsageError(`--connect ${connect}: not an address of libvirt's`, { value: connect, expected: "a URI, as qemu:///system" });
  const first = ["-q", ...(connect === undefined ? [] : ["-c", connect])];
  const options = {
    timeout: TIMEOUT,
    limit: LIMIT,
    env: { LC_ALL: "C" },
    signal,
    from: "libvirt-clients; --from-file reads its saved output",
  };
  return (...words) => answerOf("virsh", [...first, ...words], options);
}

async function askLibvirt({ name, connect }: Named, signal: AbortSignal | undefined): Promise<Said> {
  if (name === "" || name.startsWith("-"))
    throw new UsageError(`NAME ${JSON.stringify(name)}: can't be a domain of libvirt's`, {
      value: name,
      expected: "a name, as virsh list --all has it",
    });
  const run = virsh(connect, signal);
  const text = await run("domxml-to-native", "qemu-argv", "--domain", name);
  const [xml, state] = await Promise.all([
    run("dumpxml", "--inactive", "--security-info", "--domain", name),
    run("domstate", "--domain", name),
  ]);
  return {
    text,
    from: `virsh domxml-to-native qemu-argv --domain ${name}`,
    extras: await withBridges(extrasOfXml(xml), run),
    running: runs(state),
  };
}

async function askLibvirtOfXml({ xml, connect }: Written, signal: AbortSignal | undefined): Promise<Said> {
  const run = virsh(connect, signal);
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-import-"));
  try {
    const path = join(folder, "domain.xml");
    await writeFile(path, xml, { mode: 0o600 });
    const text = await run("domxml-to-native", "qemu-argv", "--xml", path);
    const extras = extrasOfXml(xml);
    // libvirt may know a machine of that name.
    const state = extras.name === null || extras.name.startsWith("-") ? "" : await run("domstate", "--domain", extras.name).catch(() => "");
    return { text, from: "virsh domxml-to-native qemu-argv --xml", extras: await withBridges(extras, run), running: runs(state) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What `virsh domstate` says of a machine that has a process; null if it is off. */
function runs(state: string): string | null {
  const said = state.trim();
  return said === "" || said === "shut off" || said === "crashed" ? null : said;
}

/** The bridges of libvirt's own networks. One that can't be asked for is left unknown. */
async function withBridges(extras: Extras, run: Run): Promise<Extras> {
  const nets = new Map(extras.nets);
  for (const [mac, network] of extras.networks) {
    const said = network.startsWith("-") ? "" : await run("net-info", "--network", network).catch(() => "");
    const bridge = /^Bridge:\s+(\S+)\s*$/m.exec(said)?.[1];
    if (bridge !== undefined) nets.set(mac, { kind: "bridge", bridge });
  }
  return { ...extras, nets };
}

async function askProxmox(id: string, signal: AbortSignal | undefined): Promise<Said> {
  if (!/^[1-9]\d{1,9}$/.test(id))
    throw new UsageError(`ID ${id}: not a number of Proxmox's`, { value: id, expected: "a number, as qm list has it" });
  const options = { timeout: TIMEOUT, limit: LIMIT, env: { LC_ALL: "C" }, signal, from: "Proxmox VE; --from-file reads its saved output" };
  const run: Run = (...words) => answerOf("qm", words, options);
  const text = await run("showcmd", id, "--pretty");
  const [config, status] = await Promise.all([run("config", id), run("status", id)]);
  const state = /^status:\s*(\S+)/m.exec(status)?.[1] ?? status.trim();
  return { text, from: `qm showcmd ${id} --pretty`, extras: extrasOfProxmox(config), running: state === "stopped" ? null : state };
}
