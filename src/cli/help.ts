import { exitCodes } from "./exit-code.ts";
import { commonOptions, type Option } from "./options.ts";
import { table, wrap } from "./output.ts";
import type { Example, HelpTable, Section, Verb } from "./verb.ts";

/** The usage of a verb, one line for each form, within the terminal's width. Without a verb: the usage of the program. */
export function usageLines(verb?: Verb, columns: number = Infinity): string {
  if (verb === undefined) return usageLine("usage:", "qmpctl VERB DOMAIN [OPERAND...] [--OPTION...]", columns);
  const options = Object.keys(verb.options).length > 0 ? " [OPTION...]" : "";
  return verb.usage.map((usage, i) => usageLine(i === 0 ? "usage:" : "   or:", `qmpctl ${withOptions(usage, options)}`, columns)).join("");
}

function usageLine(before: string, usage: string, columns: number): string {
  return `${before} ${wrap(usage, columns - before.length - 1).join(`\n${" ".repeat(before.length + 1)}`)}\n`;
}

/** A usage with the word for options in it. What follows -- is another program's command line, so ours stand before it. */
export function withOptions(usage: string, options: string): string {
  const end = usage.indexOf(" -- ");
  return end < 0 ? usage + options : usage.slice(0, end) + options + usage.slice(end);
}

/** What `qmpctl help VERB` prints, within `width` characters. */
export async function verbHelp(name: string, verb: Verb, width: number): Promise<string> {
  const options = { ...verb.options, ...commonOptions };
  const paragraphs = [`${name}: ${verb.summary}`, ...(verb.details ?? [])].map((text) => paragraph(text, width));
  return [
    usageLines(verb, width),
    ...paragraphs,
    ...(verb.table === undefined ? [] : [helpTable(await verb.table(), width)]),
    ...(verb.examples === undefined ? [] : [`examples:\n${verb.examples.map((each) => exampleLines(each, width)).join("")}`]),
    `options:\n${table(optionRows(options), { columns: width })}`,
    "qmpctl help lists the exit codes\n",
  ].join("\n");
}

function helpTable({ title, rows }: HelpTable, width: number): string {
  return `${title}:\n${table(
    rows.map(([first = "", ...others]) => [`  ${first}`, ...others]),
    { columns: width },
  )}`;
}

/** What it does, as a comment, and the command, which can be copied as it stands. */
function exampleLines([command, what]: Example, width: number): string {
  const lines = wrap(`qmpctl ${command}`, width - 4 - " \\".length);
  return `  # ${wrap(what, width - 4).join("\n  # ")}\n  ${lines.join(" \\\n    ")}\n`;
}

function paragraph(text: string, width: number): string {
  return `${wrap(text, width).join("\n")}\n`;
}

function optionRows(options: Readonly<Record<string, Option>>): string[][] {
  return shownOptions(options).map(({ names, value, about }) => [`  ${names.join(", ")}${value === undefined ? "" : ` ${value}`}`, about]);
}

/** An option as the help shows it: its names with their dashes, what its value is called, what it is for. */
export interface ShownOption {
  readonly names: readonly string[];
  readonly value: string | undefined;
  readonly about: string;
}

/** The options that a help shows, each with its other names. */
export function shownOptions(options: Readonly<Record<string, Option>>): readonly ShownOption[] {
  return Object.entries(options)
    .filter(([, option]) => option.alias === undefined && option.hidden !== true)
    .map(([name, option]) => {
      const others = Object.entries(options).filter(([, other]) => other.alias === name && other.hidden !== true);
      const more = others.map(([other, { value, short }]) => (value === undefined ? `--${other}` : `-${short ?? other} ${value}`));
      const own = [...(option.short === undefined ? [] : [`-${option.short}`]), `--${name}`];
      return { names: [...own, ...more], value: option.value, about: option.about };
    });
}

/** What `qmpctl` alone prints: the first steps of a new user, within `width` characters. */
export function firstSteps(width: number): string {
  const steps = [
    ["  qmpctl define -- QEMU-COMMAND...", "make a domain from a QEMU command line,"],
    ["  qmpctl define --pid PID", "or from a running QEMU"],
    ["  qmpctl list --all", "all domains and their states"],
    ["  qmpctl start web1", "start it"],
    ["  qmpctl setmem web1 500M --both", "its memory, now and at the next start"],
    ["  qmpctl diff web1", "compare config, machine and guest"],
  ];
  return [
    paragraph(ABOUT, width),
    `first steps:\n${table(steps, { columns: width })}`,
    "qmpctl help: all verbs\nqmpctl VERB --help: all about one verb\n",
  ].join("\n");
}

/** What the program is for. */
export const ABOUT = "qmpctl changes what a QEMU machine has (memory, vCPUs, CPU time, disks, devices) now, at the next start, or both.";

/** The sections of the list of verbs, with their titles; undefined is what has none. */
export const sections: readonly (readonly [title: string, section: Section | undefined])[] = [
  ["domains", "domains"],
  ["running and stopping", "power"],
  ["memory", "memory"],
  ["vCPUs", "vcpus"],
  ["threads and CPU time of QEMU", "threads"],
  ["disks and devices", "disks"],
  ["config and running machine", "halves"],
  ["the monitor, and more", undefined],
];

/** What stands in the list of verbs without being one. */
export const OWN: readonly (readonly [name: string, about: string])[] = [
  ["help", "show this; help VERB, or VERB --help: all about one verb"],
  ["--version", "show the version of qmpctl"],
];

/** What is the same for all verbs: how a domain, a size, a time and a scope are written. */
export const PROSE: readonly string[] = [
  "DOMAIN is a name, the path of a launch config, or the address of a monitor: unix:/run/x.sock, tcp:127.0.0.1:4444, tls:HOST:PORT?ca=FILE or 'exec:ssh HOST socat - UNIX-CONNECT:/run/x.sock'.",
  "Of another host: ssh://[USER@]HOST[:PORT]/DOMAIN, or -H HOST in front of the verb (or QMPCTL_HOST). Your own ssh is run, and the host needs nothing but Node.",
  "Of many hosts: -H 'kvm[01-20],@GROUP', and DOMAIN may be a pattern, as 'web*'. A change is planned on all before anything is touched; --where-possible does it where it can be. --at-once N hosts (10); --stop-after N failures (1).",
  "SIZE is binary and needs a unit: 300M, 2GiB, 4096B. KB, MB and GB are refused, because virsh counts them in thousands. TIME is in seconds, or has a unit: 30s, 500ms, 5min, 1h.",
  "Without an option, a change is for the running machine, or for the config of a stopped one. --static means the config, --dynamic the running machine, and both together mean both.",
  "Options may stand before or after the verb. Operands may be given by name, as in virsh: setmem --domain web1 --size 1G.",
];

/** What `qmpctl help` prints, within `width` characters. */
export function overview(verbs: readonly (readonly [string, Verb])[], width: number): string {
  const widest = Math.max(...[...verbs, ...OWN].map(([name]) => name.length));
  const lists = sections.map(([title, section]) => {
    const members = verbs.filter(([, verb]) => verb.section === section);
    const rows = [...members.map(([name, { summary }]) => [name, summary] as const), ...(section === undefined ? OWN : [])];
    // The same width for all sections, so that they line up.
    return `${title}:\n${table(
      rows.map(([name, about]) => [`  ${name.padEnd(widest)}`, about]),
      { columns: width },
    )}`;
  });
  const codes = exitCodes.map(([code, meaning]) => [`  ${code}`, meaning]);
  return [
    usageLines(undefined, width),
    paragraph(ABOUT, width),
    ...lists,
    ...PROSE.map((text) => paragraph(text, width)),
    `exit codes:\n${table(codes, { right: [0], columns: width })}`,
  ].join("\n");
}
