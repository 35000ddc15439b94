/// <reference lib="esnext.disposable" />
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Domain } from "../../src/domain/domain.ts";
import type { DomainOptions } from "../../src/domain/machine/place.ts";
import { bootArgs, type GuestConsole, type GuestOptions, openConsole } from "./guest.ts";
import { killDaemon, privateFolder, type Qemu } from "./machine.ts";
import { Cli } from "./scene.ts";

/** One of several guests in the same folders. */
export interface OneGuest {
  readonly domain: Domain;
  readonly console: GuestConsole;
}

/** Several domains that share their folders, as those of one host do. */
export interface Guests<Name extends string> extends AsyncDisposable {
  readonly options: DomainOptions;
  readonly of: Readonly<Record<Name, OneGuest>>;
  /** Starts all, and waits for their guests. */
  start(): Promise<void>;
  /** Starts the built command line with these folders. */
  cli(...words: readonly string[]): Cli;
}

/** Defines domains with the test guest, each with this memory. Their QEMUs end with them. */
export async function openGuests<Name extends string>(
  qemu: Qemu,
  names: readonly Name[],
  memory: Readonly<Record<string, unknown>>,
  guest: GuestOptions = {},
): Promise<Guests<Name>> {
  const folder = await privateFolder();
  const [configDir, runtimeDir, stateDir] = ["config", "run", "state"].map((each) => join(folder.path, each)) as [string, string, string];
  const options: DomainOptions = { configDir, runtimeDir, stateDir };
  await mkdir(configDir, { mode: 0o700 });
  const made = await Promise.all(
    names.map(async (name): Promise<readonly [Name, OneGuest]> => {
      const own = join(folder.path, name);
      await mkdir(own);
      const console = await openConsole(own);
      const args = ["-nodefaults", "-no-user-config", ...bootArgs(guest), ...console.args];
      const config = { name, emulator: qemu.binary, memory, vcpus: { max: 1, current: 1 }, args };
      await writeFile(join(configDir, `${name}.json`), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
      return [name, { domain: await Domain.open(name, options), console }];
    }),
  );
  const all = made.map(([, each]) => each);
  return {
    options,
    of: Object.fromEntries(made) as Record<Name, OneGuest>,
    start: async () => {
      await Promise.all(all.map(({ domain }) => domain.start()));
      await Promise.all(all.map(({ console }) => console.booted(1)));
    },
    cli: (...words) => new Cli(words, { QMPCTL_CONFIG_DIR: configDir, QMPCTL_RUNTIME_DIR: runtimeDir, QMPCTL_STATE_DIR: stateDir }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(names.map((name) => killDaemon(join(runtimeDir, name, "pid"))));
      await Promise.all(all.map(({ console }) => console[Symbol.asyncDispose]()));
      await folder[Symbol.asyncDispose]();
    },
  };
}
