import { editJson } from "../../../config/edit.ts";
import { readConverted } from "../../../config/import/converted.ts";
import type { Extra } from "../../../config/import/extras.ts";
import { withoutLibvirt } from "../../../config/import/libvirt-words.ts";
import { withoutProxmox } from "../../../config/import/proxmox-words.ts";
import { parseLaunchConfig } from "../../../config/launch.ts";
import { isName } from "../../../config/names.ts";
import { splitOptions } from "../../../config/options.ts";
import { runtimePaths } from "../../../config/runtime.ts";
import { UsageError } from "../../../errors.ts";
import { nameOf } from "../../machine/command-line.ts";
import { domainFolders, type DomainOptions } from "../../machine/place.ts";
import { shellWord } from "../../model/format.ts";
import { draftOf, writeDraft } from "../define.ts";
import type { Definition } from "../definition.ts";
import { readSource } from "../source.ts";
import { askOwner } from "./converters.ts";
import type { Imported, ImportSource } from "./import-source.ts";
import { refuseRunning } from "./refuse-running.ts";

/** Options of `importDomain`. */
export interface ImportOptions extends Omit<DomainOptions, "timeout"> {
  /** The domain's name here; else the one that it has there. */
  readonly name?: string | undefined;
  /** Replace a config that is there already. */
  readonly replace?: boolean | undefined;
  /** Also while the machine runs there. */
  readonly force?: boolean | undefined;
  /** Nothing is written. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a domain of a machine that libvirt or Proxmox manages, by its owner's own converter. The machine is not touched, and the new domain
 * does not run. What can't live without its owner is replaced or left out, with a note on each.
 *
 * @throws UsageError when its owner has no such machine's command line; HostError when its owner's tool is missing or fails; StateError
 * when the machine runs there; ConfigError as `Domain.define` does; the signal's reason
 */
export async function importDomain(source: ImportSource, options: ImportOptions = {}): Promise<Imported> {
  const { name, replace, force = false, dryRun = false, signal, ...rest } = options;
  const said = await askOwner(source, signal);
  const { environment, words } = readConverted(said.text, said.from);
  if (!force) await refuseRunning(source, words, said, rest);
  const called = name ?? nameIn(words);
  const around = { folder: runtimePaths(domainFolders(rest), called).folder, nets: said.extras.nets };
  const given = splitOptions(words.slice(1));
  const { options: kept, notes } = source.from === "libvirt" ? withoutLibvirt(given, around) : withoutProxmox(given, around);
  const argv = [words[0] ?? "", ...kept.flatMap((option) => option.words)];
  const read = withExtras(await readSource({ argv, folder: "/" }, called), said.extras.keys);
  const all = [...environment.flatMap(environmentNote), ...notes, ...read.notes, ...said.extras.notes, ...stillThere(source, words)];
  const draft = await draftOf({ ...read, notes: all }, { ...rest, name: called });
  const answer = { name: draft.made.config.name, config: draft.made.text };
  if (dryRun) return { ...answer, path: null, notes: draft.made.notes };
  const { place, notes: told } = await writeDraft(draft, { replace });
  return { ...answer, path: place.config?.path ?? null, notes: told };
}

/** The name there, if a domain can have it here too. @throws UsageError when it can't */
function nameIn(words: readonly string[]): string {
  const name = nameOf(splitOptions(words.slice(1))) ?? "";
  if (isName(name)) return name;
  throw new UsageError(`name ${JSON.stringify(name)}: not a name for a domain here`, { value: name, expected: "--name with another one" });
}

/** Variables that a converter prints for the program's folders and language. */
const USUAL = /^(LC_ALL|PATH|HOME|USER|LOGNAME|XDG_\w+|LANG)$/;

function environmentNote([name, value]: readonly [string, string]): readonly string[] {
  if (USUAL.test(name)) return [];
  return [`${name}=${value}: left out: a launch config has no environment; set it in front of qmpctl start if QEMU needs it`];
}

/** Adds what the owner's config says and its command line does not. */
function withExtras(read: Definition, extras: readonly Extra[]): Definition {
  const { config } = read;
  const news = extras.filter(({ path, value }) => !(path.join(".") === "vcpus.current" && value === config.vcpus.current));
  if (news.length === 0) return read;
  const text = editJson(
    read.text,
    news.map(({ path, value }) => ({ path: [...path], value })),
  );
  const notes = news.map(
    ({ path, value, from }) => `${path.join(".")} ${typeof value === "object" ? JSON.stringify(value) : value}: from ${from}`,
  );
  return { ...read, text, config: parseLaunchConfig(text, `the config of ${config.name}`), notes: [...read.notes, ...notes] };
}

/** What is to be done where the machine comes from, so that it is not started there again. */
function stillThere(source: ImportSource, words: readonly string[]): readonly string[] {
  if (source.from === "proxmox") {
    const id = "id" in source ? source.id : (splitOptions(words.slice(1)).find(({ name }) => name === "id")?.value ?? "ID");
    return [`Proxmox still has it, and must not start it any more: qm set ${shellWord(id)} --onboot 0`];
  }
  const name = shellWord("name" in source ? source.name : (nameOf(splitOptions(words.slice(1))) ?? "NAME"));
  const at = "connect" in source && source.connect !== undefined ? ` -c ${shellWord(source.connect)}` : "";
  return [`libvirt still has it, and must not start it any more: virsh${at} autostart --disable ${name}`];
}
