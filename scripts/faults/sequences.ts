import { readFile, writeFile } from "node:fs/promises";
import type { Change, ChangeOptions, Report, Scope } from "../../src/domain/change.ts";
import { ChangeError, RefusedError } from "../../src/domain/errors.ts";
import { messageOf } from "../../src/errors.ts";
import { randomFrom } from "../../test/config/random.ts";
import { predict, type State } from "./model.ts";
import { type Rig, textOf } from "./rig.ts";

const MIB = 2 ** 20;

/** What goes wrong at a command of QEMU's: it is refused, its connection breaks, we are interrupted, somebody edits the config. */
interface Mishap {
  readonly kind: "refuse" | "break" | "interrupt" | "edit";
  readonly command: "balloon" | "device_add" | "device_del";
}

/** One step of a sequence. */
export interface Move {
  readonly changes: readonly Change[];
  readonly scope: Scope;
  readonly mishap: Mishap | null;
}

/** What the values of moves are taken from. */
export interface Choices {
  readonly sizes: readonly number[];
  readonly maxSizes: readonly number[];
  readonly counts: readonly number[];
  readonly maxCounts: readonly number[];
  readonly masks: readonly string[];
}

/** A sequence out of a seed. */
export function movesOf(seed: number, length: number, choices: Choices): readonly Move[] {
  const random = randomFrom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const kinds: readonly (() => Change)[] = [
    () => ({ resource: "memory", size: pick(choices.sizes) * MIB }),
    () => ({ resource: "vcpus", count: pick(choices.counts) }),
    () => ({ resource: "vcpu-pin", vcpu: pick([0, 1, 2]), cpus: pick(choices.masks) }),
    () => ({ resource: "max-memory", size: pick(choices.maxSizes) * MIB }),
    () => ({ resource: "max-vcpus", count: pick(choices.maxCounts) }),
  ];
  return Array.from({ length }, () => {
    // The maxima are for the next start only: they come more seldom.
    const changes = kinds.filter((_, position) => random() < (position < 3 ? 0.45 : 0.1)).map((make) => make());
    const scope = pick<Scope>(["current", "static", "dynamic", "both", "both"]);
    const mishap = random() < 0.3 ? { kind: pick(["refuse", "break", "interrupt", "edit"] as const), command: pick(["balloon", "device_add", "device_del"] as const) } : null;
    return { changes: changes.length > 0 ? changes : [kinds[0]?.() as Change], scope, mishap };
  });
}

/** Plays a sequence on a machine and compares it with the model after every step. @throws with the step that differs */
export async function play(rig: Rig, moves: readonly Move[], all: string): Promise<void> {
  let state = await stateOf(rig);
  for (const [position, move] of moves.entries()) {
    const before = state;
    const { report, hit } = await makeMove(rig, move);
    state = await stateOf(rig);
    const wrong = differences(before, state, move, report, hit, all);
    if (wrong !== null) throw new Error(`step ${position + 1}: ${wrong}\n  ${JSON.stringify(move)}\n  before ${JSON.stringify(before)}\n  after  ${JSON.stringify(state)}\n  report ${JSON.stringify({ outcome: report.outcome, changes: report.changes, steps: report.steps, refusals: report.refusals })}`);
  }
}

async function makeMove(rig: Rig, { changes, scope, mishap }: Move): Promise<{ readonly report: Report; readonly hit: boolean }> {
  const stop = new AbortController();
  let hit = false;
  rig.proxy.arm(async ({ from, command, text }) => {
    if (mishap === null || from !== "client" || command !== mishap.command || hit) return undefined;
    hit = true;
    if (mishap.kind === "break") return "break";
    if (mishap.kind === "refuse") return { lines: [text.replace(`"${command}"`, '"no-such-command"').replace(/"arguments":\{.*\},"id"/, '"arguments":{},"id"')] };
    if (mishap.kind === "interrupt") stop.abort(new Error("interrupted"));
    else await writeFile(rig.configPath, `${await readFile(rig.configPath, "utf8")}\n`);
    return undefined;
  });
  const options: ChangeOptions = { scope, signal: stop.signal, timeout: 20_000 };
  try {
    return { report: await rig.domain.change(changes, options), hit };
  } catch (error) {
    if (error instanceof ChangeError || error instanceof RefusedError) return { report: error.report, hit };
    throw new Error(`${messageOf(error)}: ${JSON.stringify({ changes, scope, mishap })}`, { cause: error });
  } finally {
    rig.proxy.arm(undefined);
  }
}

/** What is not as the model has it; null when all is. */
function differences(before: State, now: State, move: Move, report: Report, hit: boolean, all: string): string | null {
  const { after, writes, acts } = predict(before, move.changes, move.scope, all);
  const is = (state: State | null): boolean => JSON.stringify(state) === JSON.stringify(now);
  for (const leg of report.changes) {
    const [config, live] = [inConfig(leg.change, now), inLive(leg.change, now)];
    if (leg.static.actual !== config) return `the report says that the config has ${leg.static.actual}, it has ${config}`;
    if (leg.dynamic.actual !== live) return `the report says that the machine has ${leg.dynamic.actual}, it has ${live}`;
  }
  if (after === null) return report.outcome === "refused" && is(before) ? null : "it should have been refused";
  const failed = hit && move.mishap !== null && (move.mishap.kind === "refuse" || move.mishap.kind === "interrupt" || (move.mishap.kind === "edit" && writes));
  if (failed) return report.outcome === "rolled-back" && is(before) ? null : "it should have been rolled back";
  const expected = writes || acts ? "applied" : "unchanged";
  return report.outcome === expected && is(after) ? null : `it should have been ${expected}, to ${JSON.stringify(after)}`;
}

function inConfig(change: Change, { config }: State): number | string {
  if (change.resource === "vcpu-pin") return config.pins[change.vcpu] ?? "all";
  return { memory: config.memory * MIB, "max-memory": config.maxMemory * MIB, vcpus: config.vcpus, "max-vcpus": config.maxVcpus }[change.resource];
}

function inLive(change: Change, { live }: State): number | string | null {
  if (live === null) return null;
  if (change.resource === "vcpu-pin") return live.masks[change.vcpu] ?? null;
  return { memory: live.memory * MIB, "max-memory": live.maxMemory * MIB, vcpus: live.masks.length, "max-vcpus": live.maxVcpus }[change.resource];
}

/** Reads both halves without the product. */
async function stateOf(rig: Rig): Promise<State> {
  const { memory, vcpus } = JSON.parse((await textOf(rig)) ?? "") as { memory: { current: string; max: string }; vcpus: { current: number; max: number; pin?: Record<string, string> } };
  const look = await rig.look();
  return {
    config: { memory: mib(memory.current), maxMemory: mib(memory.max), vcpus: vcpus.current, maxVcpus: vcpus.max, pins: Object.fromEntries(Object.entries(vcpus.pin ?? {}).sort()) },
    live: look === null ? null : { memory: look.memory / MIB, ...rig.limits, masks: Object.keys(look.masks).sort().map((vcpu) => look.masks[vcpu] ?? "") },
  };
}

function mib(size: string): number {
  const [, number = "", unit = ""] = /^(\d+)([MG])iB$/.exec(size) ?? [];
  return Number(number) * (unit === "G" ? 1024 : 1);
}

/** The shortest sequence found that still fails: one move after the other is left out, as long as it does. */
export async function shortest(moves: readonly Move[], fails: (moves: readonly Move[]) => Promise<boolean>): Promise<readonly Move[]> {
  let best = moves;
  for (let position = best.length - 1; position >= 0; position--) {
    const fewer = best.filter((_, index) => index !== position);
    if (fewer.length > 0 && (await fails(fewer))) best = fewer;
  }
  return best;
}
