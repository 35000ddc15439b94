import { lstatSync, mkdirSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { unitFolder } from "../../config/folders.ts";
import { ownUid, ownUser } from "../../config/own-user.ts";
import { replaceFile } from "../../config/safe-file.ts";
import { HostError, messageOf } from "../../errors.ts";
import { statusAt } from "../../file-status.ts";
import { isSystemd, lingers } from "../../host/login.ts";
import { ownNode, ownProgram } from "../../host/own-program.ts";
import { isActive, reloadUnits } from "../../host/unit-manager.ts";
import type { Place } from "../machine/place.ts";
import type { AutostartOptions, AutostartReport } from "../model/action.ts";
import { variablesFor } from "../model/cron-line.ts";
import { StateError } from "../model/errors.ts";
import { shellWord } from "../model/format.ts";
import { markedText, type UnitPlace, unitPlace, unitState } from "./unit-file.ts";
import { storedOf, unitFor } from "./unit.ts";

/** What a domain's unit is, and the config that it would be for. */
interface Subject {
  readonly name: string;
  readonly config: string;
  readonly at: UnitPlace;
  /** Whose manager reads it; undefined where none does now, as of another folder than the usual one. */
  readonly manager: "system" | "user" | undefined;
}

/**
 * Has a machine start with the host: writes its unit, and the link that enables it. With `disable`, takes both away again. It does not
 * start
 * or stop the machine. The second time there is nothing to do.
 *
 * @throws StateError where there is no systemd, or when the unit is not as it was made (`force`: all the same); HostError; ConfigError
 */
export async function setAutostart(place: Place, options: AutostartOptions): Promise<AutostartReport> {
  const stored = await storedOf(place);
  const subject = subjectOf(place, stored.config.name, stored.path);
  if (options.disable === true) return await disable(subject, options);
  if (subject.manager !== undefined && !isSystemd()) throw noSystemd(place, stored.path);
  const { text } = unitFor(place, stored, options);
  return await enable(subject, markedText(text, stored.path), options);
}

/**
 * Takes away what `setAutostart` has made for a config that is gone. What somebody has changed since then is left.
 *
 * @returns what there is to know of it
 */
export async function dropAutostart(place: Place, domain: string, config: string): Promise<readonly string[]> {
  const subject = subjectOf(place, domain, config);
  const state = unitState(subject.at);
  if (state.is === "absent" || state.is === "foreign" || state.config !== config) return [];
  if (state.is === "edited")
    return [`${subject.at.path} was changed since qmpctl made it, and is left: it starts a machine that has no config any more`];
  const { notes } = await disable(subject, {});
  return [`it does not start with the host any more: ${subject.at.path} is removed too`, ...notes];
}

function subjectOf(place: Place, name: string, config: string): Subject {
  const isRoot = ownUid() === 0;
  const manager = place.units === unitFolder({}, ownUser) ? (isRoot ? "system" : "user") : undefined;
  return { name, config, at: unitPlace(place.units, isRoot, name), manager };
}

function noSystemd({ name, folders }: Place, config: string): StateError {
  const program = ownProgram();
  const own = program !== undefined && "path" in program ? [ownNode(), program.path] : ["qmpctl"];
  const words = `${variablesFor(folders)}${[...own, "start", config].map(shellWord).join(" ")}`;
  return new StateError(
    `${name}: systemd does not run this host, so there is nothing to put a unit into; where cron is: @reboot ${words} (crontab -e), or that command in /etc/rc.local`,
    "settled",
  );
}

async function enable(subject: Subject, text: string, { force }: AutostartOptions): Promise<AutostartReport> {
  const { at, name, config } = subject;
  refuseOthers(subject, force, "written");
  const state = unitState(at);
  const isSame = state.is === "ours" && state.text === text;
  const isLinked = statusAt(at.link) !== undefined;
  try {
    mkdirSync(dirname(at.link), { recursive: true });
    if (!isSame) await replaceFile(at.path, text, { flush: true, mode: 0o644 });
    if (!isLinked) await symlink(at.path, at.link);
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw new HostError(`${at.link}: ${messageOf(cause)}`, {}, { cause });
  }
  const notes = [...(isSame && isLinked ? [] : await reload(subject)), ...lingering(subject)];
  const moved = (state.is === "ours" || state.is === "edited") && state.config !== config ? [`it was for ${state.config} before`] : [];
  return { name, autostart: true, changed: !(isSame && isLinked), unit: at.name, path: at.path, notes: [...moved, ...notes] };
}

async function disable(subject: Subject, { force }: AutostartOptions): Promise<AutostartReport> {
  const { at, name, manager } = subject;
  const state = unitState(at);
  const isLinked = lstatSync(at.link, { throwIfNoEntry: false }) !== undefined;
  const done = { name, autostart: false, unit: at.name, path: at.path };
  if (state.is === "absent" && !isLinked) return { ...done, changed: false, notes: [] };
  refuseOthers(subject, force, "removed");
  await remove(at.link);
  const drops = statusAt(`${at.path}.d`) === undefined ? [] : [`${at.path}.d is left, as it is not qmpctl's`];
  // Without its unit, systemd would end a machine that runs as anything else: at once, without asking the guest.
  if (manager !== undefined && isSystemd() && (await isActive(at.name, manager === "user")))
    return {
      ...done,
      changed: isLinked,
      notes: [`${at.name} runs, so its unit stays until that has ended: then autostart ${shellWord(name)} --disable removes it`, ...drops],
    };
  await remove(at.path);
  return { ...done, changed: true, notes: [...(await reload(subject)), ...drops] };
}

/** @throws StateError when the unit is not what qmpctl has made for this config, or for one that is gone */
function refuseOthers({ name, config, at }: Subject, force: boolean | undefined, done: string): void {
  const state = unitState(at);
  if (state.is === "absent" || force === true) return;
  const why =
    state.is === "foreign"
      ? "was not made by qmpctl autostart"
      : state.config !== config && statusAt(state.config) !== undefined
        ? `is that of another domain of this name, ${state.config}`
        : state.is === "edited"
          ? `was changed since autostart made it (systemctl edit ${at.name} makes changes beside it)`
          : undefined;
  if (why !== undefined) throw new StateError(`${name}: ${at.path} ${why}, so it was not ${done}; --force does it`, "settled");
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  });
}

/** Has systemd read its units again. A user's systemd may not run: it will read them when it starts. */
async function reload({ manager }: Subject): Promise<readonly string[]> {
  if (manager === undefined || !isSystemd()) return [];
  try {
    await reloadUnits(manager === "user");
    return [];
  } catch (error) {
    return [`systemd has not read it yet: ${messageOf(error)}`];
  }
}

function lingering({ manager }: Subject): readonly string[] {
  if (manager !== "user" || lingers()) return [];
  return [
    "a user's systemd starts with the first login, and ends with the last: with loginctl enable-linger it starts with the host and stays",
  ];
}
