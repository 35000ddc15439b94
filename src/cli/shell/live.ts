import type { Ask } from "./knowledge.ts";
import type { Given } from "./schema.ts";

/** An argument to complete, with the typed part of its value and the other arguments of the line. */
export interface Wanted {
  readonly command: string;
  /** Dotted. */
  readonly key: string;
  readonly typed: string;
  readonly given: Given;
}

type Source = (ask: Ask, wanted: Wanted) => Promise<readonly string[]>;

/** Arguments that name something of this QEMU, by `command key`, and the query that lists it. The first match counts. */
const sources: readonly (readonly [RegExp, Source])[] = [
  [/^(qom-(list|get|set)|x-query-virtio-\S+) path$/, qomPaths],
  [/^qom-(get|set) property$/, properties],
  [/^(device_add driver|device-list-properties typename)$/, drivers],
  [/^device_add (socket|die|cluster|module|core|thread|node|book|drawer)-id$/, freeSlots],
  [/^(device_del|device-sync-config) id$/, devices],
  [/^(blockdev-(open|close)-tray|blockdev-(insert|remove|change)-medium|eject|block_set_io_throttle) id$|^screendump device$/, devices],
  [/^object-del id$| (memdev|rng|can-bus|throttle-group|tls-creds|tls-authz|authz|cryptodev)$/, objects],
  [/ iothread$/, (ask) => fields(ask("query-iothreads"), "id")],
  [/^chardev-(change|remove|send-break) id$|^ringbuf-\S+ device$| chardev$/, (ask) => fields(ask("query-chardev"), "label")],
  [/^block-job-\S+ (device|id)$/, (ask) => fields(ask("query-block-jobs"), "device")],
  [/^job-\S+ id$/, (ask) => fields(ask("query-jobs"), "id")],
  [/^block-export-del id$/, (ask) => fields(ask("query-block-exports"), "id")],
  [/^(netdev_del id|set_link name)$| netdev$/, networks],
  [/^device_add bus$/, buses],
  [/^query-command-line-options option$/, (ask) => fields(ask("query-command-line-options"), "option")],
  [/ (cpu-index|cpu|vcpu)$/, (ask) => fields(ask("query-cpus-fast"), "cpu-index")],
  [
    /^(?!blockdev-add node-name)\S+ (\S+\.)?(node-name|node|base-node|top-node|image-node-name|parent|file|backing|overlay|replaces|target|bottom|source)$/,
    nodes,
  ],
  [/ (drive|device)$/, async (ask) => [...(await fields(ask("query-block"), "device")), ...(await nodes(ask))]],
];

/** The values that an argument can have on the running machine. `undefined` if it names nothing there. */
export async function liveValues(ask: Ask, wanted: Wanted): Promise<readonly string[] | undefined> {
  const source = sources.find(([pattern]) => pattern.test(`${wanted.command} ${wanted.key}`))?.[1];
  return source === undefined ? undefined : [...new Set(await source(ask, wanted))].filter((value) => value !== "").toSorted();
}

type Row = Readonly<Record<string, unknown>>;

async function rows(reply: Promise<unknown>): Promise<readonly Row[]> {
  const list = await reply;
  return Array.isArray(list) ? (list as readonly Row[]) : [];
}

async function fields(reply: Promise<unknown>, field: string): Promise<readonly string[]> {
  return (await rows(reply)).flatMap((row) => (row[field] === undefined ? [] : [String(row[field])]));
}

async function children(ask: Ask, path: string): Promise<readonly string[]> {
  return (await rows(ask("qom-list", { path }))).flatMap(({ name, type }) => (String(type).startsWith("child<") ? [String(name)] : []));
}

/** The children of the path up to its last slash. A path is completed step by step, as file names are. */
async function qomPaths(ask: Ask, { typed }: Wanted): Promise<readonly string[]> {
  const parent = typed.slice(0, typed.lastIndexOf("/"));
  return (await children(ask, parent === "" ? "/" : parent)).map((name) => `${parent}/${name}`);
}

async function properties(ask: Ask, { given }: Wanted): Promise<readonly string[]> {
  const path = given("path");
  if (path === undefined) return [];
  return (await rows(ask("qom-list", { path }))).flatMap(({ name, type }) => (String(type).startsWith("child<") ? [] : [String(name)]));
}

const PLUGGABLE =
  "e1000e nvdimm nvme pc-dimm pcie-root-port scsi-cd scsi-hd usb-kbd usb-storage usb-tablet vfio-pci vhost-vsock-pci virtio-balloon-pci virtio-blk-pci " +
  "virtio-gpu-pci virtio-mem-pci virtio-net-pci virtio-rng-pci virtio-scsi-pci virtio-serial-pci virtserialport";

/**
 * Drivers that are often plugged, those that the machine has, and its vCPUs. Not all drivers: to list them (qom-list-types), QEMU loads
 * every module, and it aborts if its package was upgraded while it runs (measured on 10.0 and 11.1).
 */
async function drivers(ask: Ask): Promise<readonly string[]> {
  const [cpus, named] = await Promise.all([
    fields(ask("query-hotpluggable-cpus"), "type"),
    rows(ask("qom-list", { path: "/machine/peripheral" })),
  ]);
  return [...cpus, ...named.flatMap(({ type }) => /^child<(.+)>$/.exec(String(type))?.[1] ?? []), ...PLUGGABLE.split(" ")];
}

async function devices(ask: Ask): Promise<readonly string[]> {
  const [named, nameless] = await Promise.all([children(ask, "/machine/peripheral"), children(ask, "/machine/peripheral-anon")]);
  return [...named, ...nameless.map((name) => `/machine/peripheral-anon/${name}`)];
}

function objects(ask: Ask): Promise<readonly string[]> {
  return children(ask, "/objects");
}

function nodes(ask: Ask): Promise<readonly string[]> {
  return fields(ask("query-named-block-nodes"), "node-name");
}

/** The free slots of the topology that fit the rest of the line. */
async function freeSlots(ask: Ask, { key, given }: Wanted): Promise<readonly string[]> {
  const slots = await rows(ask("query-hotpluggable-cpus"));
  return slots.flatMap(({ props, "qom-path": plugged }) => {
    const slot = props as Row;
    const fits = Object.entries(slot).every(([name, value]) => name === key || given(name) === undefined || given(name) === String(value));
    return plugged === undefined && fits && slot[key] !== undefined ? [String(slot[key])] : [];
  });
}

/** QMP has no list of networks. The human monitor has one a line, as `net0: index=0,type=user,…`, or ` \ net0: …` below its card. */
async function networks(ask: Ask): Promise<readonly string[]> {
  return (await humanLines(ask, "info network")).flatMap((line) => /^[ \\]*([^\s:]+): index=/.exec(line)?.[1] ?? []);
}

async function buses(ask: Ask): Promise<readonly string[]> {
  return (await humanLines(ask, "info qtree")).flatMap((line) => /^\s*bus: (\S+)/.exec(line)?.[1] ?? []);
}

/** The lines of the human monitor's answer. */
export async function humanLines(ask: Ask, line: string): Promise<readonly string[]> {
  const text = await ask("human-monitor-command", { "command-line": line });
  return typeof text === "string" ? text.split(/\r?\n/) : [];
}
