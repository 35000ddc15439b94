import { readFile, writeFile } from "node:fs/promises";
import type { Report } from "../../src/domain/change/change-report.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import type { ChangeOptions } from "../../src/domain/model/change.ts";
import { messageOf } from "../../src/errors.ts";
import { differences } from "./compare.ts";
import type { FakeRig } from "./fake-rig.ts";
import type { Move } from "./move.ts";
import type { Rig } from "./rig.ts";
import { see } from "./see.ts";

/** Plays a sequence on a machine and compares it with the model after every step. @throws Error when a step differs */
export async function play(rig: Rig, moves: readonly Move[], all: string): Promise<void> {
  let now = await see(rig);
  for (const [position, move] of moves.entries()) {
    const before = now;
    const { report, hit } = await makeMove(rig, move);
    now = await see(rig);
    const wrong = differences({ before, now, move: rig.real ? { ...move, paused: false } : move, report, hit, all });
    if (wrong !== null)
      throw new Error(
        `step ${position + 1}: ${wrong}\n  ${JSON.stringify(move)}\n  before ${JSON.stringify(before.state)}\n  after  ${JSON.stringify(now.state)}\n  report ${JSON.stringify({ outcome: report.outcome, changes: report.changes, steps: report.steps, refusals: report.refusals })}`,
      );
  }
}

/** Makes a move. Resolves with the report, and whether the mishap happened: it can't if its command is never sent. */
async function makeMove(rig: Rig, { changes, scope, mishap, paused }: Move): Promise<{ readonly report: Report; readonly hit: boolean }> {
  const stop = new AbortController();
  let hit = false;
  const { qemu } = rig as Partial<FakeRig>;
  if (qemu !== undefined) qemu.status = paused ? "paused" : "running";
  rig.proxy.arm(async ({ from, command, text }) => {
    if (mishap === null || from !== "client" || command !== mishap.command || hit) return undefined;
    hit = true;
    if (mishap.kind === "break") return "break";
    if (mishap.kind === "refuse")
      return { lines: [text.replace(`"${command}"`, '"no-such-command"').replace(/"arguments":\{.*\},"id"/, '"arguments":{},"id"')] };
    if (mishap.kind === "kill") return (await rig.killQemu(), "break");
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
