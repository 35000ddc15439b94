import { isDeepStrictEqual } from "node:util";
import type { ChangeReport, Report } from "../../src/domain/change/change-report.ts";
import type { LegOutcome } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { isDangerous } from "./model-memory.ts";
import { inConfig, inLive, legsOf, predict, type State, wantedOf } from "./model.ts";
import type { Move } from "./move.ts";

/** A domain as seen without the product: the values of both halves, and the text of the config. */
export interface Seen {
  readonly text: string;
  readonly state: State;
}

/** A move, what was seen before and after it, and the product's report. */
export interface Moved {
  readonly before: Seen;
  readonly now: Seen;
  readonly move: Move;
  readonly report: Report;
  /** Whether the mishap of the move happened. */
  readonly hit: boolean;
  /** The mask of a thread that is not pinned. */
  readonly all: string;
}

/** How a move must end. */
interface End {
  readonly outcome: Report["outcome"];
  readonly state: State;
  /** Whether the config has a new text. If not, it must be unchanged byte for byte. */
  readonly written: boolean;
}

/** What differs from the model: in the report, the file or the live state. Null: nothing. */
export function differences(whole: Moved): string | null {
  const asked = (seen: Seen): Seen => ({
    ...seen,
    state: { ...seen.state, live: seen.state.live && { ...seen.state.live, answers: !whole.move.paused } },
  });
  // A guest that is paused meanwhile can't be asked, before and after.
  const moved = { ...whole, before: asked(whole.before), now: asked(whole.now) };
  const { now, report } = moved;
  const end = endOf(moved);
  if (report.outcome !== end.outcome) return `it should have been ${end.outcome}`;
  if (!isDeepStrictEqual(now.state, cameBack(end.state, moved))) return `it should have led to ${JSON.stringify(end.state)}`;
  return inText(moved, end) ?? inReport(moved) ?? null;
}

/** A vCPU that was unplugged and came back is a new one for the guest, which uses it then. */
function cameBack(state: State, { now, report, move }: Moved): State {
  const unplugs = move.changes.some(({ resource }) => resource === "vcpus" || resource === "vcpus-online");
  if (!unplugs || report.outcome !== "rolled-back" || state.live === null || now.state.live === null) return state;
  const { offline } = now.state.live;
  return { ...state, live: { ...state.live, offline: state.live.offline.filter((vcpu) => offline.includes(vcpu)) } };
}

function endOf({ before: { state }, move, hit, all }: Moved): End {
  const { after, writes, acts } = predict(state, move.changes, move.scope, all);
  const { live } = state;
  const isRisk = move.paused && live !== null && legsOf(move.scope, true).running && isDangerous(live.memory, live.devices, move.changes);
  if (after === null || isRisk) return { outcome: "refused", state, written: false };
  const kind = hit ? move.mishap?.kind : undefined;
  if (kind === "kill") return { outcome: "failed", state: { ...state, live: null }, written: false };
  if (kind === "refuse" || kind === "interrupt" || (kind === "edit" && writes)) return { outcome: "rolled-back", state, written: false };
  return { outcome: writes || acts ? "applied" : "unchanged", state: after, written: writes };
}

/** Another program's edit must stay. In a new text, everything that the model does not know must be as before. */
function inText({ before, now, move, report, hit }: Moved, { written }: End): string | null {
  const edited = hit && move.mishap?.kind === "edit" ? `${before.text}\n` : before.text;
  if (!written)
    return now.text === edited
      ? null
      : `the config should be, byte for byte, ${JSON.stringify(edited)}, and is ${JSON.stringify(now.text)}`;
  if (withoutKnown(now.text) !== withoutKnown(before.text))
    return `the config lost or changed something that the move did not ask for: ${now.text}`;
  const told = report.config;
  return told?.before === before.text && told.after === now.text ? null : "the report has other texts of the config";
}

/** A config's text without the values that the model knows. The rest must stay the same byte for byte. */
function withoutKnown(text: string): string {
  const disks = /,\s*"disks":\s*\{(?:[^{}]|\{(?:[^{}]|\{[^}]*\})*\})*\}/g;
  return text
    .replace(disks, "")
    .replace(/,\s*"period":\s*\d+/g, "")
    .replace(/,\s*"(?:pin|sched|threads|plugged|cpu)":\s*\{(?:[^{}]|\{[^}]*\})*\}|,\s*"online":\s*"[^"]*"/g, "")
    .replace(/,\s*"-blockdev",\s*"[^"]*node-name=cd0-medium[^"]*"/g, "")
    .replace(/(ide-cd,id=cd0),drive=cd0-medium/g, "$1")
    .replace(/,\s*"-device",\s*"virtio-rng-pci[^"]*"/g, "")
    .replace(/,\s*"-object",\s*"iothread,id=io1[^"]*"/g, "")
    .replace(/(iothread,id=io0),poll-max-ns=\d+/g, "$1")
    .replace(/,\s*"-object",\s*"memory-backend-ram,id=dimm\d-ram[^"]*",\s*"-device",\s*"pc-dimm[^"]*"/g, "")
    .replace(/("(?:max|current)":\s*)(?:"[^"]*"|\d+)/g, "$1_");
}

function inReport(moved: Moved): string | null {
  const { before, move, report, all } = moved;
  const state = before.state.live === null ? "stopped" : move.paused ? "paused" : "running";
  if (report.state !== state) return `the report says that the domain was ${report.state}, but it was ${state}`;
  if (report.changes.length !== move.changes.length) return "the report leaves changes out";
  const wrong = report.changes.map((change) => inChange(change, moved) ?? inOutcomes(change, moved, all));
  return wrong.find((each) => each !== null) ?? null;
}

function inChange({ change, static: fixed, dynamic: live }: ChangeReport, { before, now }: Moved): string | null {
  const pairs = [
    [fixed.before, inConfig(change, before.state), "config had"],
    [fixed.actual, inConfig(change, now.state), "config has"],
    [live.before, inLive(change, before.state), "machine had"],
    [live.actual, inLive(change, now.state), "machine has"],
  ] as const;
  // QEMU shows the driver of a device, and not all of its words.
  const short = (value: unknown): unknown => (change.resource === "device" ? String(value).replace(/,bus=\w+$/, "") : value);
  const wrong = pairs.find(([told, found]) => short(told) !== short(found));
  return wrong === undefined ? null : `the report says that the ${wrong[2]} ${wrong[0]}, but it is ${wrong[1]}`;
}

/** Each half of each change: `unchanged` if it had the value already, `skipped` if it is not in the scope. */
function inOutcomes({ change, static: fixed, dynamic: live }: ChangeReport, { before, move, report }: Moved, all: string): string | null {
  const legs = legsOf(move.scope, before.state.live !== null);
  const right = (outcome: LegOutcome, asked: boolean, needed: boolean, others: readonly LegOutcome[]): boolean =>
    !asked ? outcome === "skipped" : !needed ? outcome === "unchanged" : others.includes(outcome);
  const done: Partial<Record<Report["outcome"], readonly LegOutcome[]>> = {
    applied: ["applied"],
    refused: ["skipped"],
    "rolled-back": ["rolled-back", "skipped"],
    failed: ["failed", "skipped", "rolled-back"],
  };
  const expected = done[report.outcome] ?? [];
  if (report.outcome === "refused") return null;
  // The same memory with other DIMMs is another number for the balloon, so both words are right.
  if (change.resource === "memory" && move.changes.some(({ resource }) => resource === "dimm")) return null;
  // An image stands in no config.
  if (change.resource === "disk-size") return null;
  const wanted = (it: Change, mask: string): unknown => ("cpus" in it && it.cpus === "all" ? mask : wantedOf(it));
  if (!right(fixed.outcome, legs.fixed, inConfig(change, before.state) !== wanted(change, "all"), expected))
    return `the report calls the config half of ${change.resource} ${fixed.outcome}`;
  if (!right(live.outcome, legs.running, inLive(change, before.state) !== wanted(change, all), expected))
    return `the report calls the live half of ${change.resource} ${live.outcome}`;
  return null;
}
