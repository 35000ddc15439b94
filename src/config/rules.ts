import type { ConfigIssue } from "./config-error.ts";
import { diskRules } from "./disk-rules.ts";
import { readVcpuList } from "./online-vcpus.ts";
import { pluggedByArgs } from "./plugged.ts";
import { formatSize, isSize, parseSize } from "./size.ts";
import { misfit } from "./topology.ts";

/**
 * The rules between values of a launch config. This works on a config that is not checked yet, and looks only at values that are right in
 * themselves, so that one reading reports everything that is wrong.
 */
export function brokenRules(raw: unknown): readonly ConfigIssue[] {
  const memory = objectAt(raw, "memory");
  const vcpus = objectAt(raw, "vcpus");
  return [
    ...memoryRules(memory),
    ...vcpuRules(vcpus),
    ...onlineRules(vcpus),
    ...pluggedRules(vcpus, wordsOf(raw)),
    ...pinRules(objectAt(vcpus, "pin"), countAt(vcpus, "max")),
    ...diskRules(objectAt(objectAt(raw, "disks"), "throttle")),
    ...numberRules("vcpus.sched", objectAt(vcpus, "sched"), countAt(vcpus, "max")),
  ];
}

type Values = Readonly<Record<string, unknown>>;

/** QEMU rounds the RAM up to whole pages of 8 KiB. */
const RAM_UNIT = 8192;
/** A page, which is the balloon's unit. */
const PAGE = 4096;

function memoryRules(memory: Values): readonly ConfigIssue[] {
  const max = sizeAt(memory, "max");
  const current = sizeAt(memory, "current");
  const min = sizeAt(memory, "min");
  const limit = sizeAt(objectAt(memory, "hotplug"), "limit");
  const issue = (key: string, expected: string): ConfigIssue => ({
    path: `memory.${key}`,
    value: key === "hotplug.limit" ? objectAt(memory, "hotplug")["limit"] : memory[key],
    expected,
  });
  return [
    ...(max !== undefined && max % RAM_UNIT !== 0 ? [issue("max", "a multiple of 8KiB")] : []),
    ...(current !== undefined && current % PAGE !== 0 ? [issue("current", "a multiple of 4KiB")] : []),
    ...(current !== undefined && max !== undefined && current > max ? [issue("current", `at most memory.max, ${formatSize(max)}`)] : []),
    ...(min !== undefined && current !== undefined && min > current
      ? [issue("min", `at most memory.current, ${formatSize(current)}`)]
      : []),
    ...(limit !== undefined && limit % PAGE !== 0 ? [issue("hotplug.limit", "a multiple of 4KiB")] : []),
    ...(limit !== undefined && max !== undefined && limit <= max
      ? [issue("hotplug.limit", `more than memory.max, ${formatSize(max)}`)]
      : []),
  ];
}

function vcpuRules(vcpus: Values): readonly ConfigIssue[] {
  const max = countAt(vcpus, "max");
  const current = countAt(vcpus, "current");
  const wrong = max === undefined || vcpus["topology"] === undefined ? undefined : misfit(objectAt(vcpus, "topology"), max);
  return [
    ...(max !== undefined && current !== undefined && current > max
      ? [{ path: "vcpus.current", value: current, expected: `at most vcpus.max, ${max}` }]
      : []),
    ...(wrong === undefined ? [] : [{ path: "vcpus.topology", value: vcpus["topology"], expected: wrong }]),
  ];
}

/** The vCPUs that a machine starts with one by one: vCPU 0 is always there, and `current` is how many there are. */
function onlineRules(vcpus: Values): readonly ConfigIssue[] {
  const text = vcpus["online"];
  const online = typeof text === "string" ? readVcpuList(text) : undefined;
  if (online === undefined) return [];
  const [max, current] = [countAt(vcpus, "max"), countAt(vcpus, "current")];
  const wrong = (expected: string): readonly ConfigIssue[] => [{ path: "vcpus.online", value: text, expected }];
  if (!online.has(0)) return wrong("vCPU 0 in it: a machine starts with that one");
  const most = Math.max(...online);
  if (max !== undefined && most >= max) return wrong(`vCPUs from 0 to vcpus.max - 1, ${max - 1}`);
  if (current === undefined || online.size === current) return [];
  return wrong(`as many vCPUs as vcpus.current, ${current}, not ${online.size}; or no such key`);
}

/** `-smp` has to give at least one vCPU, in addition to those that args plug. */
function pluggedRules(vcpus: Values, args: readonly string[]): readonly ConfigIssue[] {
  const current = countAt(vcpus, "current");
  const plugged = pluggedByArgs(args, countAt(objectAt(vcpus, "topology"), "threads"));
  if (plugged > 0 && vcpus["online"] !== undefined)
    return [{ path: "vcpus.online", value: vcpus["online"], expected: "no such key, as args plug vCPUs themselves (-device)" }];
  return current === undefined || current > plugged
    ? []
    : [{ path: "vcpus.current", value: current, expected: `more than the ${plugged} that args plug (-device)` }];
}

function wordsOf(raw: unknown): readonly string[] {
  const args = typeof raw === "object" && raw !== null ? (raw as Values)["args"] : undefined;
  return Array.isArray(args) ? args.filter((each) => typeof each === "string") : [];
}

function pinRules(pin: Values, max: number | undefined): readonly ConfigIssue[] {
  return Object.entries(pin).flatMap(([vcpu, cpus]) => {
    const number = numberRules("vcpus.pin", { [vcpu]: cpus }, max);
    if (number.length > 0 || typeof cpus !== "string" || looksLikeCpuList(cpus)) return number;
    return [{ path: `vcpus.pin.${vcpu}`, value: cpus, expected: "a Linux CPU list, as 0-3,8 or 0-7,^2" }];
  });
}

/** The keys are numbers of vCPUs that there is room for. */
function numberRules(at: string, values: Values, max: number | undefined): readonly ConfigIssue[] {
  return Object.entries(values).flatMap(([vcpu, value]) => {
    const isNumber = /^(0|[1-9]\d{0,3})$/.test(vcpu);
    if (isNumber && (max === undefined || Number(vcpu) < max)) return [];
    const expected = `no such key: vCPUs are numbered from 0 to ${max === undefined ? "vcpus.max - 1" : max - 1}`;
    return [{ path: `${at}.${vcpu.slice(0, 40)}`, value, expected }];
  });
}

/** Checks only the form. Whether the host has those CPUs is checked when they are used. */
export function looksLikeCpuList(text: string): boolean {
  const items = text.split(",").map((item) => /^(\^?)(\d{1,4})(?:-(\d{1,4}))?$/.exec(item));
  const well = items.every((item) => item !== null && Number(item[2]) <= Number(item[3] ?? item[2]) && Number(item[3] ?? item[2]) < 8192);
  return (
    well &&
    leavesAny(
      items.flatMap((item) => (item === null ? [] : [{ out: item[1] === "^", first: Number(item[2]), last: Number(item[3] ?? item[2]) }])),
    )
  );
}

/** Whether any CPU is left after the exclusions. */
function leavesAny(ranges: readonly { readonly out: boolean; readonly first: number; readonly last: number }[]): boolean {
  const left = new Set<number>();
  const each = (out: boolean, act: (cpu: number) => unknown): void => {
    for (const range of ranges) if (range.out === out) for (let cpu = range.first; cpu <= range.last; cpu++) act(cpu);
  };
  each(false, (cpu) => left.add(cpu));
  each(true, (cpu) => left.delete(cpu));
  return left.size > 0;
}

function objectAt(from: unknown, key: string): Values {
  const value = typeof from === "object" && from !== null ? (from as Values)[key] : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Values) : {};
}

function sizeAt(from: Values, key: string): number | undefined {
  const value = from[key];
  return typeof value === "string" && isSize(value) ? parseSize(value) : undefined;
}

function countAt(from: Values, key: string): number | undefined {
  const value = from[key];
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 8192 ? value : undefined;
}
