import { userInfo } from "node:os";
import { basename, dirname, resolve } from "node:path";
import { foldersOf } from "../../config/folders.ts";
import { ownUid, ownUser } from "../../config/own-user.ts";
import type { Stored } from "../../config/store.ts";
import { ownNode, ownProgram } from "../../host/own-program.ts";
import { findProgram } from "../../host/programs.ts";
import { START_TIMEOUT } from "../lifecycle/start.ts";
import { filesOf } from "../lifecycle/startable.ts";
import { SHUTDOWN_TIMEOUT } from "../lifecycle/stop.ts";
import { readStored } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { Unit, UnitOptions } from "../model/action.ts";
import { StateError } from "../model/errors.ts";
import { unitPlace } from "./unit-file.ts";
import { unitText } from "./unit-text.ts";

/** Where the system's manager finds units. */
const SYSTEM = "/etc/systemd/system";

/**
 * The unit of systemd with which a machine runs: as root's in the system's manager, as a user's in the user's own; with `system`, in the
 * system's as that user.
 *
 * @throws StateError for a transient domain, or if this program can't be named in a unit; ConfigError
 */
export async function unitOfDomain(place: Place, options: UnitOptions = {}): Promise<Unit> {
  const stored = await storedOf(place);
  return unitFor(place, stored, options);
}

/** The config that a unit is made for. @throws StateError for a transient domain; ConfigError */
export async function storedOf(place: Place): Promise<Stored> {
  const stored = await readStored(place);
  if (stored === null)
    throw new StateError(`${place.name}: a transient machine has no config to start from; define it first`, "unreachable");
  return stored;
}

/** The same, of a config that was read. @throws as `unitOfDomain` does */
export function unitFor(place: Place, { config, path }: Stored, options: UnitOptions): Unit {
  const isRoot = ownUid() === 0;
  const isSystem = isRoot || options.system === true;
  const shutdownTimeout = options.shutdownTimeout ?? SHUTDOWN_TIMEOUT;
  const folder = isSystem ? (isRoot ? place.units : SYSTEM) : place.units;
  const files = filesOf(config.args).map((file) => resolve(dirname(path), file));
  const wait = options.shutdownTimeout === undefined ? [] : ["--shutdown-timeout", `${shutdownTimeout}ms`];
  const text = unitText({
    domain: config.name,
    manager: isSystem ? "system" : "user",
    user: isSystem && !isRoot ? userName() : null,
    // Its path: what a name means depends on the environment.
    command: [...programFor(place), "run", path, ...wait],
    environment: environmentFor(place, config.emulator),
    files: [path, ...files],
    startTimeout: START_TIMEOUT,
    shutdownTimeout,
  });
  return { ...unitPlace(folder, isSystem, config.name), text };
}

/** @throws StateError when there is no program of ours that is there after a boot of the host */
function programFor({ name }: Place): readonly string[] {
  const program = ownProgram();
  const why =
    program === undefined
      ? "no program of qmpctl's is known here, as where another one bundles the library"
      : !("path" in program)
        ? "this qmpctl was sent here for one connection: with one that is installed on that host, qmpctl -H HOST --installed calls it"
        : /\/_npx\//.test(program.path)
          ? `${program.path} is npx's, which removes it at some time: npm install -g qmpctl`
          : null;
  if (program !== undefined && "path" in program && why === null) return [ownNode(), program.path];
  throw new StateError(`${name}: a unit needs a program that stays, and ${why}`, "settled");
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(ownUid()); // a user that no list knows
  }
}

/** Where systemd looks for programs, unless told. */
const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What has to be told because systemd starts it with another environment than ours. */
function environmentFor({ folders }: Place, emulator: string): Readonly<Record<string, string>> {
  const usual = foldersOf({}, ownUser);
  const found = emulator.includes("/") ? undefined : findProgram(emulator);
  const at = found !== undefined && "path" in found ? dirname(found.path) : undefined;
  return {
    ...(at === undefined || USUAL_PATH.split(":").includes(at) || basename(at) === "" ? {} : { PATH: `${at}:${USUAL_PATH}` }),
    ...(folders.config === usual.config ? {} : { QMPCTL_CONFIG_DIR: folders.config }),
    ...(folders.runtime === usual.runtime ? {} : { QMPCTL_RUNTIME_DIR: folders.runtime }),
    ...(folders.state === usual.state ? {} : { QMPCTL_STATE_DIR: folders.state }),
  };
}
