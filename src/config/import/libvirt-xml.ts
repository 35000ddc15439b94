import { formatSize } from "../size.ts";
import type { Net } from "./around.ts";
import type { Extra, Extras } from "./extras.ts";

/**
 * What a domain's XML of libvirt says, and its command line does not: the memory that the balloon leaves, vCPUs that are plugged after a
 * start, pins, and what networks are connected to. Of the XML only these elements are read.
 */
export function extrasOfXml(xml: string): Extras {
  const text = xml.replace(/<!--[\s\S]*?-->/g, "");
  const nets = new Map<string, Net>();
  const networks = new Map<string, string>();
  for (const { attributes, inner } of elements(text, "interface")) {
    const mac = attributeOf(inner, "mac", "address")?.toLowerCase();
    const [bridge, network] = [attributeOf(inner, "source", "bridge"), attributeOf(inner, "source", "network")];
    if (mac === undefined) continue;
    if (attributes["type"] === "user") nets.set(mac, { kind: "user" });
    else if (bridge !== undefined) nets.set(mac, { kind: "bridge", bridge });
    else if (network !== undefined) networks.set(mac, network);
  }
  return {
    name: textOf(text, "name") ?? null,
    nets,
    networks,
    keys: [...memory(text), ...period(text), ...vcpus(text), ...pins(text)],
    notes: limits(text),
  };
}

interface Element {
  readonly attributes: Readonly<Record<string, string>>;
  readonly inner: string;
}

/** The elements of a name, wherever they are. None of those that are read here has one of its own name inside. */
function elements(text: string, name: string): readonly Element[] {
  const form = new RegExp(`<${name}(\\s[^>]*?)?(?:/>|>([\\s\\S]*?)</${name}\\s*>)`, "g");
  return [...text.matchAll(form)].map(([, attributes = "", inner = ""]) => ({ attributes: attributesIn(attributes), inner }));
}

function attributesIn(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(/([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(([, key, a, b]) => [key, plain(a ?? b ?? "")]),
  );
}

function attributeOf(text: string, name: string, attribute: string): string | undefined {
  return elements(text, name)[0]?.attributes[attribute];
}

function textOf(text: string, name: string): string | undefined {
  const inner = elements(text, name)[0]?.inner.trim();
  return inner === undefined || inner === "" ? undefined : plain(inner);
}

function plain(text: string): string {
  const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
  return text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => named[name] ?? "");
}

/** libvirt's units of memory, in bytes. Without one it counts KiB. */
const UNITS: Readonly<Record<string, number>> = {
  ...{ b: 1, bytes: 1, KB: 1e3, k: 1024, KiB: 1024, MB: 1e6, M: 1024 ** 2, MiB: 1024 ** 2 },
  ...{ GB: 1e9, G: 1024 ** 3, GiB: 1024 ** 3, TB: 1e12, T: 1024 ** 4, TiB: 1024 ** 4 },
};

function bytesOf(element: Element | undefined): number | undefined {
  const count = Number(element?.inner.trim() || Number.NaN);
  return Number.isSafeInteger(count) ? Math.ceil((count * (UNITS[element?.attributes["unit"] ?? "KiB"] ?? 1024)) / 1024) * 1024 : undefined;
}

function memory(text: string): readonly Extra[] {
  const [most, now] = [bytesOf(elements(text, "memory")[0]), bytesOf(elements(text, "currentMemory")[0])];
  if (now === undefined || most === undefined || now >= most || !hasBalloon(text)) return [];
  return [
    { path: ["memory", "current"], value: formatSize(now), from: "<currentMemory>, which libvirt asks of the balloon after a start" },
  ];
}

/** How often the guest is asked for its figures, in seconds. */
function period(text: string): readonly Extra[] {
  const seconds = Number(attributeOf(elements(text, "memballoon")[0]?.inner ?? "", "stats", "period") ?? Number.NaN);
  return Number.isSafeInteger(seconds) && seconds > 0
    ? [{ path: ["memory", "period"], value: seconds, from: "<memballoon>'s <stats>" }]
    : [];
}

function hasBalloon(text: string): boolean {
  return (attributeOf(text, "memballoon", "model") ?? "virtio") !== "none";
}

function vcpus(text: string): readonly Extra[] {
  const [element] = elements(text, "vcpu");
  const each = elements(text, "vcpus")[0]?.inner ?? "";
  const online = elements(each, "vcpu").filter(({ attributes }) => attributes["enabled"] === "yes");
  const numbers = online.map(({ attributes }) => Number(attributes["id"])).toSorted((a, b) => a - b);
  const current = numbers.length > 0 ? numbers.length : Number(element?.attributes["current"] ?? Number.NaN);
  if (!Number.isSafeInteger(current) || current < 1) return [];
  const from = "<vcpu>; libvirt plugs some of them after a start";
  const hasGap = numbers.some((number, at) => number !== at);
  return [
    { path: ["vcpus", "current"], value: current, from },
    ...(hasGap ? [{ path: ["vcpus", "online"], value: numbers.join(","), from }] : []),
  ];
}

/** Pins as the config has them. `^3` of libvirt's, which takes a CPU out of a list, is no CPU list of Linux's. */
function pins(text: string): readonly Extra[] {
  const tune = elements(text, "cputune")[0]?.inner ?? "";
  const listIn = (name: string, by: string): Readonly<Record<string, string>> =>
    Object.fromEntries(
      elements(tune, name).flatMap(({ attributes }) => {
        const list = attributes["cpuset"]?.replaceAll(" ", "");
        return list === undefined || list.includes("^") ? [] : [[attributes[by] ?? "", list]];
      }),
    );
  const own = listIn("vcpupin", "vcpu");
  const emulator = listIn("emulatorpin", "none")[""];
  return [
    ...(Object.keys(own).length === 0 ? [] : [{ path: ["vcpus", "pin"], value: own, from: "<vcpupin>" }]),
    ...(emulator === undefined ? [] : [{ path: ["threads"], value: { emulator }, from: "<emulatorpin>" }]),
  ];
}

/** Limits that libvirt sets on a process of its own making. */
function limits(text: string): readonly string[] {
  const tune = elements(text, "cputune")[0]?.inner ?? "";
  const others = [...tune.matchAll(/<(\w+)/g)].map(([, name]) => name ?? "").filter((name) => !/^(vcpupin|emulatorpin)$/.test(name));
  const left = [
    ...new Set([
      ...others,
      ...["memtune", "blkiotune", "numatune", "resource", "bandwidth"].filter((name) => elements(text, name).length > 0),
      ...(/cpuset\s*=\s*["'][^"']*\^/.test(tune) ? ["pins with ^"] : []),
    ]),
  ];
  return left.length === 0
    ? []
    : [`not taken over: ${left.join(", ")}: libvirt sets these itself; setcpu, vcpupin and emulatorpin set ours`];
}
