import { access } from "node:fs/promises";
import { join } from "node:path";
import type { ChangeReport, Report } from "../../src/domain/change/change-report.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";
import { InterruptedError } from "../../src/domain/change/interrupted-error.ts";
import type { Scope, Value } from "../../src/domain/model/change.ts";
import { messageOf } from "../../src/errors.ts";
import {
  baseOf,
  bytesOf,
  type ConfigValues,
  type Ended,
  leftoversOf,
  type Look,
  PERIOD,
  type Rig,
  textOf,
  unpinned,
  USUAL,
  valuesIn,
  wantedOf,
} from "./rig.ts";

/** A promise that did not hold. */
export class Broken extends Error {}

/** Both halves before the fault, and the config that the change would write. */
export interface Before {
  readonly text: string;
  readonly look: Look | null;
  readonly after: string;
}

/** What a fault allows that is otherwise wrong. */
export interface Allowed {
  /** The right exit codes. Default: any. */
  readonly codes?: readonly (number | null)[];
  /** The config after another program's edit. */
  readonly edited?: string;
  /** What the machine has without the change, if another program has changed it too. */
  readonly base?: Look | null;
  /** The prepared files could not be removed. The next command removes them. */
  readonly leftovers?: boolean;
  /** The machine could not be asked at the end, and the report may say so. */
  readonly deaf?: boolean;
}

/** Reads both halves, and what the change would write. */
export async function readBefore(rig: Rig): Promise<Before> {
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const planned = await rig.domain.apply(wantedOf(rig), { scope: "both", dryRun: true });
  return { text: text ?? "", look, after: planned.config?.after ?? text ?? "" };
}

/** After the fault, the report and the exit code must agree with an independent look. */
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

/** An old guest can lose the unplug of a vCPU that it is bringing up. Then the undo never finishes, and the report says so. */
function isLostUnplug(rig: Rig, { code, report }: Ended): boolean {
  return (
    !rig.replugs &&
    code === 4 &&
    report?.steps.some(
      ({ outcome, reason }) => outcome === "undo-failed" && /is accepted; the guest has not let go of it yet/.test(reason ?? ""),
    ) === true
  );
}

export function checkChange(
  { change, static: fixed, dynamic }: ChangeReport,
  { text, look, before, deaf, notes }: { notes: string; text: string | null; look: Look | null; before: Before; deaf: boolean },
): void {
  const name = change.resource;
  const vcpu = "vcpu" in change ? change.vcpu : 0;
  const pick = (values: ConfigValues): Value =>
    name === "memory"
      ? values.memory
      : name === "vcpus"
        ? values.vcpus
        : name === "disk-throttle"
          ? values.disk
          : name === "memory-period"
            ? values.period
            : name === "device"
              ? values.device
              : (values.pins[vcpu] ?? "all");
  const readable = text !== null && [before.text, before.after].includes(text);
  if (readable && fixed.actual !== pick(valuesIn(text)))
    throw new Broken(`${name}: the report says that the config has ${fixed.actual}, but it has ${pick(valuesIn(text))}`);
  const live = look === null ? null : name === "vcpu-pin" ? (look.masks[vcpu] ?? null) : pick({ ...look, pins: {} });
  // A guest that is still moving has another value at the next look.
  const moving = name === "memory" && dynamic.outcome === "pending";
  if (!moving && dynamic.actual !== live && !(deaf && dynamic.actual === null))
    throw new Broken(`${name}: the report says that the machine has ${dynamic.actual}, but it has ${live} (${notes})`);
}

/** Whether both halves of the machine are as wanted. */
export function isWanted({ ends: { pinned, wanted }, real }: Pick<Rig, "ends" | "real">, look: Look | null): boolean {
  return (
    look !== null &&
    look.memory === bytesOf(wanted.memory) &&
    look.vcpus === wanted.vcpus &&
    look.disk === "iops=100" &&
    look.period === PERIOD &&
    (real || look.device !== "absent") &&
    pinned.every((vcpu) => look.masks[vcpu] === wanted.mask)
  );
}

/** An allocation as a short text. */
export function show(look: Look | null): string {
  return look === null
    ? "gone"
    : `${look.memory / 2 ** 20} MiB, ${look.vcpus} vCPUs, vCPU 0 on ${look.masks["0"]}, disk ${look.disk}, asked every ${look.period} s, device ${look.device}`;
}

/**
 * The next command must work, or name the interrupted change, which is then resolved. At the end the domain is at its base again.
 * `how`: how to resolve it. `killed`: the process of the change was killed, so something must say that the change is half done.
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
  if (error === undefined && halfDone) throw new Broken(`nothing says that a change was interrupted: ${show(start)} with\n${now}`);
  if (error !== undefined) {
    if (!(error instanceof InterruptedError)) throw new Broken(`the next command: ${messageOf(error)}`);
    const told = (await rig.domain.info()).interrupted;
    // The guest's value may differ from one look to the next.
    const who = /^.* died during it \(since [^)]*\)/.exec(told ?? "")?.[0];
    if (who === undefined || !error.message.includes(who)) throw new Broken(`info does not name the interrupted change: ${told}`);
    await checkRecovery(rig, before, how, alive);
    await next();
  }
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const base = {
    memory: bytesOf(rig.ends.base.memory),
    vcpus: rig.ends.base.vcpus,
    pins: {},
    disk: "none",
    period: USUAL,
    device: "absent",
  };
  if (JSON.stringify(valuesIn(text ?? "")) !== JSON.stringify(base)) throw new Broken(`after the next command the config is\n${text}`);
  // Old guests can lose an unplug while they bring vCPUs up. The report then said pending, with the count.
  const old = !rig.replugs && ((look?.vcpus ?? 0) < rig.ends.base.vcpus || look?.vcpus === pending);
  const same = old || show(look) === show(before.look);
  if (alive && !same) throw new Broken(`after the next command the machine has ${show(look)}, not ${show(before.look)}`);
  const left = await leftoversOf(rig);
  if (left.length > 0 || (await exists(join(rig.books, "journal")))) throw new Broken(`left: ${left.join(", ") || "the journal"}`);
}

/** Brings the domain back to its base. Resolves with the count of vCPUs if that is pending. */
async function goBack(rig: Rig, alive: boolean): Promise<Value> {
  const back = (scope: Scope, force: boolean): Promise<Report> => rig.domain.apply(baseOf(rig), { scope, timeout: 20_000, force });
  const stuck = !rig.replugs && alive && ((await rig.look())?.vcpus ?? 0) < rig.ends.base.vcpus;
  if (stuck) await mustBeRefused(() => back("both", false));
  const { outcome, changes } = await back(alive && !stuck ? "both" : "static", true);
  const pins = unpinned(rig);
  if (pins !== null) await rig.domain.apply(pins, { scope: "static" });
  return outcome === "pending" ? (changes.find(({ change }) => change.resource === "vcpus")?.dynamic.actual ?? null) : null;
}

/** Under software emulation, QEMU before 10 dies if a vCPU comes back. The undo must be refused, with that reason. */
async function mustBeRefused(work: () => Promise<unknown>): Promise<void> {
  const error = await work().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RefusedError && /unplugged before, (is|are) plugged again/.test(error.message)))
    throw new Broken(`an undo that kills the machine was not refused: ${messageOf(error)}`);
}

async function checkRecovery(rig: Rig, before: Before, how: "finish" | "undo", alive: boolean): Promise<void> {
  await rig.domain.recover(how, { timeout: 20_000, force: true });
  const [text, look] = await Promise.all([textOf(rig), rig.look()]);
  const right = how === "finish" ? before.after : before.text;
  if (text !== right) throw new Broken(`after recover --${how} the config is\n${text}`);
  if (alive && (how === "finish" ? !isWanted(rig, look) : show(look) !== show(before.look)))
    throw new Broken(`after recover --${how} the machine has ${show(look)}`);
  if ((await rig.domain.interrupted()) !== null) throw new Broken(`recover --${how} left the change unresolved`);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
