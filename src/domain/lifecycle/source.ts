import { realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { anchor } from "../../config/anchor.ts";
import { ConfigError } from "../../config/config-error.ts";
import { editJson } from "../../config/edit.ts";
import { isQemuVersion, isSurelyQemu, whyNoEmulator } from "../../config/emulator.ts";
import { type LaunchConfig, parseLaunchConfig } from "../../config/launch.ts";
import { readSafely } from "../../config/safe-file.ts";
import { readScript } from "../../config/shell-words.ts";
import { HostError, messageOf, UsageError } from "../../errors.ts";
import { findProgram } from "../../host/programs.ts";
import { versionOf } from "../../host/version.ts";
import { defineFrom } from "./board.ts";
import { type Called, type Definition, noted, notUtf8 } from "./definition.ts";
import { ofProcess } from "./process-source.ts";

/**
 * Where a config comes from: a file (a launch config, or a script with one QEMU command in it), a QEMU command line in words, or the
 * command line of a running process, or the text of such a file from another host, where `file` is its path. Relative paths of a script or
 * of words are resolved against `folder`, as by a shell that runs them
 * there; it is the working folder by default. Those of a process or a config are resolved against its own folder.
 */
export type DefineSource =
  | { readonly file: string; readonly folder?: string }
  | { readonly argv: readonly string[]; readonly folder?: string }
  | { readonly pid: number }
  | { readonly text: string; readonly file: string };

/**
 * Reads a source. Nothing of it is run, except a program that does not have one of QEMU's names, for its `--version`.
 *
 * @throws UsageError when it is no QEMU command line; ConfigError when the file is missing, or its config is wrong; HostError when there is
 * no such process
 */
export async function readSource(source: DefineSource, name: string | undefined): Promise<Definition> {
  const called = name === undefined ? {} : { name };
  if ("pid" in source) return ofProcess(source.pid, called);
  const folder = await realpath(("folder" in source ? source.folder : undefined) ?? ".").catch((cause: unknown) => {
    throw new HostError(`the working folder can't be read: ${messageOf(cause)}`, {}, { cause });
  });
  if ("argv" in source) return fromWords(source.argv, folder, called);
  if ("text" in source) return fromText(source.text, source.file, { name, folder, own: folder });
  const { text } = await readSafely(source.file).catch((error: unknown) => {
    if (error instanceof ConfigError && error.problem === "missing")
      throw new ConfigError(
        source.file,
        "missing",
        "there is no such file; give a launch config, or a script with one QEMU command in it",
        { cause: error },
      );
    throw error;
  });
  return fromText(text, source.file, { name, folder, own: dirname(await realpath(source.file)) });
}

/** Reads a text, of a launch config or a script. `own`: the folder that relative paths of a config are meant from. */
async function fromText(
  text: string,
  file: string,
  { name, folder, own }: { readonly name: string | undefined; readonly folder: string; readonly own: string },
): Promise<Definition> {
  if (!text.trimStart().startsWith("{")) {
    const { words, notes, folder: where } = readScript(text, folder, { own: resolve(dirname(file)), real: own });
    const made = await fromWords(words, where, name === undefined ? {} : { name });
    return { ...made, notes: [...notes, ...made.notes] };
  }
  const config = parseLaunchConfig(text, file);
  if (name !== undefined && name !== config.name) {
    throw new UsageError(`name ${JSON.stringify(name)}: the config in ${file} names itself ${JSON.stringify(config.name)}`, {
      value: name,
      expected: "the same name, or none",
    });
  }
  return fromConfig(text, config, own);
}

/** A config's text as `define` takes it, for the place that it has already. @throws ConfigError `invalid` */
export function configIn(text: string, path: string): Definition {
  return fromConfig(text, parseLaunchConfig(text, path), dirname(path));
}

/**
 * A config is kept to the letter, except relative paths: they are resolved against its own folder, because `define` moves it to another.
 */
function fromConfig(text: string, config: LaunchConfig, folder: string): Definition {
  const anchored = anchor([config.emulator, ...config.args], folder);
  const args = anchored.argv.slice(1);
  const edits = args.flatMap((word, position) =>
    word === config.args[position] ? [] : [{ path: ["args", String(position)], value: word }],
  );
  return noted({ text: editJson(text, edits), config: { ...config, args }, notes: [] }, anchored, folder);
}

/** Reads words as they are typed: nothing has to be running. */
async function fromWords(argv: readonly string[], folder: string, called: Called): Promise<Definition> {
  const damaged = argv.find((word) => word.includes("\ufffd"));
  if (damaged !== undefined) throw notUtf8(`command line: ${JSON.stringify(damaged)}`);
  const anchored = anchor(argv, folder);
  await mustBeQemu(argv, anchored.argv[0] ?? "");
  return noted(await defineFrom(anchored.argv, called), anchored, folder);
}

/**
 * Checks that a command line begins with a QEMU. `path`: the emulator, as it can be found. @throws UsageError when it begins with something
 * else
 */
async function mustBeQemu(argv: readonly string[], path: string): Promise<void> {
  const [emulator = ""] = argv;
  const expected = "a command line that begins with QEMU's own program, as qemu-system-x86_64";
  const why = whyNoEmulator(argv);
  if (why !== undefined) throw new UsageError(`command line: ${why}`, { value: emulator, expected });
  if (isSurelyQemu(emulator)) return;
  const program = findProgram(path);
  const said = "path" in program ? await versionOf(program.path) : null;
  if (said !== null && isQemuVersion(said)) return;
  const reason = "why" in program ? program.why : `its --version does not say "QEMU emulator version"`;
  throw new UsageError(
    `command line: it begins with ${JSON.stringify(emulator)}, which is not known as a QEMU by its name, and ${reason}`,
    { value: emulator, expected },
  );
}
