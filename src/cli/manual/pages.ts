import { exitCodes } from "../exit-code.ts";
import { ABOUT, OWN, PROSE, sections, shownOptions, withOptions } from "../help.ts";
import { commonOptions } from "../options.ts";
import type { Verb } from "../verb.ts";
import { bold, italic, item, paragraph, roffText, section, verbatim } from "./roff.ts";

/** A verb and its name. */
type Named = readonly [name: string, verb: Verb];

/** The manual page about a verb, as man(7) has it. `version`: of this program. */
export async function verbPage([name, verb]: Named, version: string): Promise<string> {
  const table = await verb.table?.();
  const rows = table?.rows.map(([first = "", ...others]) => item(bold(first), others.join(", "))) ?? [];
  const examples = verb.examples?.map(([command, what]) => paragraph(`${what}:`) + verbatim([`qmpctl ${command}`])) ?? [];
  return [
    heading(`qmpctl-${name}`, version),
    section("name", `qmpctl\\-${name.replaceAll("-", "\\-")} \\- ${roffText(verb.summary)}\n`),
    section("synopsis", verb.usage.map((usage) => synopsis(withOptions(usage, " [OPTION...]"))).join(".br\n")),
    ...(verb.details === undefined ? [] : [section("description", verb.details.map(paragraph).join(""))]),
    ...(table === undefined ? [] : [section(table.title, rows.join(""))]),
    section("options", optionsOf(verb)),
    ...(examples.length === 0 ? [] : [section("examples", examples.join(""))]),
    section("exit status", exits()),
    section("see also", `${reference("qmpctl")}\n`),
  ].join("");
}

/** The page of the program: its verbs, what is the same for all of them, its environment and its files. */
export function mainPage(verbs: readonly Named[], version: string): string {
  const groups = sections.map(([title, of]) => {
    const members = verbs
      .filter(([, verb]) => verb.section === of)
      .map(([name, { summary }]) => item(reference(`qmpctl-${name}`), summary));
    const own = of === undefined ? OWN.map(([name, about]) => item(bold(`qmpctl ${name}`), about)) : [];
    return `.SS ${roffText(capital(title))}\n${[...members, ...own].join("")}`;
  });
  return [
    heading("qmpctl", version),
    section("name", "qmpctl \\- change what a QEMU machine has, now, at the next start, or both\n"),
    section("synopsis", synopsis("VERB DOMAIN [OPERAND...] [--OPTION...]")),
    section("description", [ABOUT, ...PROSE].map(paragraph).join("")),
    section("verbs", groups.join("")),
    section("exit status", exits()),
    section("environment", ENVIRONMENT.map(([name, about]) => item(bold(name), about)).join("")),
    section("files", FILES.map(([path, about]) => item(italic(path), about)).join("")),
    section("see also", `${reference("qemu")},\n${reference("virsh")},\n${reference("ssh")}\n`),
  ].join("");
}

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["QMPCTL_CONFIG_DIR", "the folder of the configs"],
  ["QMPCTL_RUNTIME_DIR", "the folder of the sockets, pidfiles and last words of running machines"],
  ["QMPCTL_STATE_DIR", "the folder of locks, records and notes; it has to be the same for everyone who changes a machine"],
  ["QMPCTL_HOST", "the host whose domains are meant, as -H has it"],
  ["QMPCTL_INVENTORY", "the inventory of Ansible's that knows the hosts and groups of -H, as --inventory has it"],
  ["QMPCTL_SSH", "the program that is run in place of ssh"],
  ["QMPCTL_COMPLETION_TIMEOUT", "how long a TAB may wait for another host; 2s unless told"],
  ["VISUAL, EDITOR", "the editor of edit; the first that is set"],
  ["NO_COLOR", "if it is set and not empty, no colours are used"],
];

const FILES: readonly (readonly [string, string])[] = [
  ["/etc/qmpctl", "root's configs"],
  ["~/.config/qmpctl", "the configs of other users"],
  ["/etc/qmpctl/hosts, ~/.config/qmpctl/hosts", "groups of hosts: a line [group], and below it its hosts"],
  ["/run/qmpctl", "root's running machines: sockets, locks, records"],
  ["/var/lib/qmpctl", "the histories of root's machines"],
  ["~/.local/state/qmpctl", "the same of other users"],
];

function heading(title: string, version: string): string {
  // No date: the same sources make the same page.
  return `.\\" made from the verbs by the build\n.TH ${title.replaceAll("-", "\\-").toUpperCase()} 1 "" "qmpctl ${version}" "qmpctl"\n.nh\n.ad l\n`;
}

/** The verb and its options as typed, what stands for something else in italics. */
function synopsis(usage: string): string {
  const [first = "", ...rest] = usage.split(" ");
  const words = /^[a-z]/.test(first) ? [bold(`qmpctl ${first}`)] : [bold("qmpctl"), italic(first)];
  const drawn = rest.map((word) => (/^\[?-|^--$/.test(word) || /^[a-z]/.test(word) ? bold(word) : italic(word)));
  return `${[...words, ...drawn].join(" ")}\n`;
}

function optionsOf(verb: Verb): string {
  return shownOptions({ ...verb.options, ...commonOptions })
    .map(({ names, value, about }) => item(`${names.map(bold).join(", ")}${value === undefined ? "" : ` ${italic(value)}`}`, about))
    .join("");
}

function exits(): string {
  return exitCodes.map(([code, meaning]) => item(bold(String(code)), meaning)).join("");
}

function reference(page: string): string {
  return `${bold(page)}(1)`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
