import { access } from "node:fs/promises";
import { join } from "node:path";
import type { ChangeReport, Report } from "../../src/domain/change/change-report.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { InterruptedError } from "../../src/domain/change/interrupted.ts";
import type { Scope, Value } from "../../src/domain/model/change.ts";
import { messageOf } from "../../src/errors.ts";
import {
  baseOf,
  bytesOf,
  type ConfigValues,
  type Ended,
  leftoversOf,
  type Look,
  type Rig,
  textOf,
  unpinned,
  valuesIn,
  wantedOf,
} from "./rig.ts";

/** A promise that did not hold. */
export class Broken extends Error {}

/** How both halves were before the fault, and what the config would be after. */
export interface Before {
  readonly text: string;
  readonly look: Look | null;
  readonly after: string;
}

/** What a fault allows that is otherwise not held. */
export interface Allowed {
  /** The exit codes that are right; any where it is not said. */
  readonly codes?: readonly (number | null)[];
  /** What somebody else made of the config meanwhile. */
  readonly edited?: string;
  /** What the machine has where nothing is left of the change: somebody else has changed it meanwhile. */
  readonly base?: Look | null;
  /** Nobody could remove what was prepared: the next command does. */
  readonly leftovers?: boolean;
  /** The machine could not be asked at the end: the report may say so. */
  readonly deaf?: boolean;
}

/** Reads how it is, and what the change would write. */
export async function readBefore(rig: Rig): Promise<Before> {
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const planned = await rig.domain.apply(wantedOf(rig), { scope: "both", dryRun: true });
  return { text: text ?? "", look, after: planned.config?.after ?? text ?? "" };
}

/** After the fault: the report and the exit code say what an independent look finds. */
export async function checkEnd(rig: Rig, before: Before, ended: Ended, allowed: Allowed): Promise<void> {
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const { code, report } = ended;
  const known = [before.text, before.after, allowed.edited];
  if (text !== null && !known.includes(text)) throw new Broken(`the config is neither the old one nor the new one:\n${text}`);
  if (allowed.codes !== undefined && !allowed.codes.includes(code) && !isLostUnplug(rig, ended))
    throw new Broken(`exit ${code} instead of ${allowed.codes.join(" or ")}: ${ended.stderr}${ended.stdout}`);
  if (code !== null && !/^(0|1|3|4|5|130)$/.test(String(code))) throw new Broken(`exit ${code}: ${ended.stderr}`);
  if (ended.stderr.includes("internal error")) throw new Broken(ended.stderr);
  for (const change of report?.changes ?? [])
    checkChange(change, { text, look, before, deaf: allowed.deaf === true, notes: report?.notes.join("; ") ?? "" });
  if (code === 0 && !(text === before.after && isWanted(rig, look))) throw new Broken(`exit 0, and it is ${show(look)} with\n${text}`);
  const base = allowed.base ?? before.look;
  const touched = look !== null && base !== null && show(look) !== show(base);
  if ((code === 1 || code === 3 || code === 130) && (touched || text === before.after))
    throw new Broken(`exit ${code}, and it is ${show(look)}, not ${show(base)}, with\n${text}\n${ended.stderr}`);
  if ((code === 4 || code === 5) && report === undefined) throw new Broken(`exit ${code} without a report: ${ended.stdout}${ended.stderr}`);
  const left = await leftoversOf(rig);
  if (code !== null && left.length > 0 && allowed.leftovers !== true) throw new Broken(`left beside the config: ${left.join(", ")}`);
}

/** An old guest that loses the unplug of a vCPU which it was just bringing up: the way back has no end, and that is told. */
function isLostUnplug(rig: Rig, { code, report }: Ended): boolean {
  return (
    !rig.replugs &&
    code === 4 &&
    report?.steps.some(
      ({ outcome, reason }) => outcome === "undo-failed" && /is accepted; the guest has not let go of it yet/.test(reason ?? ""),
    ) === true
  );
}

function checkChange(
  { change, static: fixed, dynamic }: ChangeReport,
  { text, look, before, deaf, notes }: { notes: string; text: string | null; look: Look | null; before: Before; deaf: boolean },
): void {
  const name = change.resource;
  const vcpu = "vcpu" in change ? change.vcpu : 0;
  const pick = (values: ConfigValues): Value =>
    name === "memory" ? values.memory : name === "vcpus" ? values.vcpus : (values.pins[vcpu] ?? "all");
  const readable = text !== null && [before.text, before.after].includes(text);
  if (readable && fixed.actual !== pick(valuesIn(text)))
    throw new Broken(`${name}: the report says that the config has ${fixed.actual}, it has ${pick(valuesIn(text))}`);
  const live = look === null ? null : name === "memory" ? look.memory : name === "vcpus" ? look.vcpus : (look.masks[vcpu] ?? null);
  // A guest on its way is elsewhere at the next look.
  const moving = name === "memory" && dynamic.outcome === "pending";
  if (!moving && dynamic.actual !== live && !(deaf && dynamic.actual === null))
    throw new Broken(`${name}: the report says that the machine has ${dynamic.actual}, it has ${live} (${notes})`);
}

/** Whether both halves of the machine are as wanted. */
export function isWanted({ ends: { pinned, wanted } }: Rig, look: Look | null): boolean {
  return (
    look !== null &&
    look.memory === bytesOf(wanted.memory) &&
    look.vcpus === wanted.vcpus &&
    pinned.every((vcpu) => look.masks[vcpu] === wanted.mask)
  );
}

/** An allocation in short. */
export function show(look: Look | null): string {
  return look === null ? "gone" : `${look.memory / 2 ** 20} MiB, ${look.vcpus} vCPUs, vCPU 0 on ${look.masks["0"]}`;
}

/**
 * The next command works, or names the interrupted change, which then is settled; in the end the domain is at its base again.
 * `how`: the way it is settled where it has to be. `killed`: the process of the change was, so what is half done has to be told.
 */
export async function checkNext(rig: Rig, before: Before, how: "finish" | "undo", killed: boolean): Promise<void> {
  await rig.calm?.();
  const [start, now] = [await rig.look(), await textOf(rig)];
  const alive = start !== null;
  const done = now === before.after && isWanted(rig, start);
  const halfDone = killed && alive && !done && (show(start) !== show(before.look) || now === before.after);
  let pending: Value = null;
  const next = async (): Promise<unknown> => (pending = await goBack(rig, alive));
  const error = await next().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined && halfDone) throw new Broken(`nobody says that a change was interrupted: ${show(start)} with\n${now}`);
  if (error !== undefined) {
    if (!(error instanceof InterruptedError)) throw new Broken(`the next command: ${messageOf(error)}`);
    const told = (await rig.domain.info()).interrupted;
    // What the guest has by now may differ from one look to the next.
    const who = /^.* died during it \(since [^)]*\)/.exec(told ?? "")?.[0];
    if (who === undefined || !error.message.includes(who)) throw new Broken(`info does not tell of the interrupted change: ${told}`);
    await checkRecovery(rig, before, how, alive);
    await next();
  }
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const base = { memory: bytesOf(rig.ends.base.memory), vcpus: rig.ends.base.vcpus, pins: {} };
  if (JSON.stringify(valuesIn(text ?? "")) !== JSON.stringify(base)) throw new Broken(`after the next command the config is\n${text}`);
  // Old guests can lose an unplug that comes while they bring vCPUs up: it was said to be pending, with how many there are.
  const old = !rig.replugs && ((look?.vcpus ?? 0) < rig.ends.base.vcpus || look?.vcpus === pending);
  const same = old || show(look) === show(before.look);
  if (alive && !same) throw new Broken(`after the next command the machine has ${show(look)}, not ${show(before.look)}`);
  const left = await leftoversOf(rig);
  if (left.length > 0 || (await exists(join(rig.books, "journal")))) throw new Broken(`left: ${left.join(", ") || "the journal"}`);
}

/** Makes the domain its base again. Gives the count of vCPUs where it is said to be pending. */
async function goBack(rig: Rig, alive: boolean): Promise<Value> {
  const back = (scope: Scope, force: boolean): Promise<Report> => rig.domain.apply(baseOf(rig), { scope, timeout: 20_000, force });
  const stuck = !rig.replugs && alive && ((await rig.look())?.vcpus ?? 0) < rig.ends.base.vcpus;
  if (stuck) await mustBeRefused(() => back("both", false));
  const { outcome, changes } = await back(alive && !stuck ? "both" : "static", true);
  const pins = unpinned(rig);
  if (pins !== null) await rig.domain.apply(pins, { scope: "static" });
  return outcome === "pending" ? (changes.find(({ change }) => change.resource === "vcpus")?.dynamic.actual ?? null) : null;
}

/** Software emulation before QEMU 10 dies of a vCPU that comes back: the way back is refused, and says why. */
async function mustBeRefused(work: () => Promise<unknown>): Promise<void> {
  const error = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RefusedError && /unplugged before, (is|are) plugged again/.test(error.message)))
    throw new Broken(`a way back that kills the machine was not refused: ${messageOf(error)}`);
}

async function checkRecovery(rig: Rig, before: Before, how: "finish" | "undo", alive: boolean): Promise<void> {
  await rig.domain.recover(how, { timeout: 20_000, force: true });
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const right = how === "finish" ? before.after : before.text;
  if (text !== right) throw new Broken(`after recover --${how} the config is\n${text}`);
  if (alive && (how === "finish" ? !isWanted(rig, look) : show(look) !== show(before.look)))
    throw new Broken(`after recover --${how} the machine has ${show(look)}`);
  if ((await rig.domain.interrupted()) !== null) throw new Broken(`recover --${how} left the change to be settled`);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
