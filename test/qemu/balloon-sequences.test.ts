import { describe, expect, test } from "vitest";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import { RefusedError } from "../../src/domain/change/errors.ts";

/** The seeds of this run: `QMPCTL_SEEDS=7,8,9` tries others. */
const SEEDS: readonly number[] = (process.env["QMPCTL_SEEDS"] ?? "1").split(",").map(Number);
/** What the kernel says when it is short of memory, and what it says last. */
const DYING = /out of memory|oom-kill|oom_reaper|panic|page allocation failure/i;

// Whatever is asked of it, a guest that is not forced lives, with none of its programs killed.
describe.each((await qemusInTime()).filter(({ major }) => major >= 7))("sizes asked for in any order on QEMU $version", (qemu) => {
  test.each(SEEDS)(
    "leave the guest alive: ten from the start on, as fast as they come, then ten one after the other, then ten at once (seed %i)",
    async (seed) => {
      const random = randomFrom(seed);
      await using scene = await openScene(qemu, {
        memory: { max: "512MiB", current: "512MiB", hotplug: { slots: 4, limit: "4GiB" } },
        vcpus: { max: 4, current: 1 + (seed % 2) },
      });
      const ends: string[] = [];
      const make = async (move: Move): Promise<void> => void ends.push(`${move.words.join(" ")}: ${await move.make(scene)}`);
      const ten = (): readonly Move[] => Array.from({ length: 10 }, () => moveOf(random));
      await scene.domain.start();
      for (const move of ten()) await make(move);
      await scene.booted();
      for (const move of ten()) await make(move);
      await Promise.all(ten().map(make));
      // What the last one has set off comes to its end.
      await scene.domain.setMemory(300 * MIB, { scope: "dynamic" });
      await scene.console.next();
      const told = scene.console.lines.filter((line) => DYING.test(line));
      expect({ told, ends }).toEqual({ told: [], ends });
      // A guard that refuses all would pass as well.
      expect(ends.filter((end) => / (applied|pending)$/.test(end)).length, ends.join("\n")).toBeGreaterThan(0);
      await expect(scene.domain.setMemory(8 * MIB, { scope: "dynamic" })).rejects.toThrow(/could kill it/);
      // A paused one can't be asked: what it said before still bounds what it needs.
      await scene.domain.setMemory(512 * MIB, { scope: "dynamic" });
      await scene.domain.suspend();
      await expect(scene.domain.setMemory(110 * MIB, { scope: "dynamic" })).rejects.toThrow(
        /it is paused, and can't be asked what it uses now/,
      );
      expect(await scene.domain.setMemory(400 * MIB, { scope: "dynamic" })).toMatchObject({ outcome: "pending" });
      await scene.domain.resume();
      await scene.console.next();
      expect(scene.console.lines.filter((line) => DYING.test(line))).toEqual([]);
    },
  );
});

interface Move {
  readonly words: readonly string[];
  make(scene: Scene): Promise<string>;
}

/** By the library or by the command line, at all sizes from absurd to too large, some with hardly any time. */
function moveOf(random: () => number): Move {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  // The guest uses 134 MiB, its kernel's tables for 4 GiB among it.
  const near = Math.floor(random() * 40) + 120;
  const mib = pick([1, 8, 64, 110, near, near, near, 160, 200, 300, 400, 512, 600]);
  const timeout = pick([50, 500, 3000, 20_000]);
  if (random() < 0.5) {
    const words = ["setmem", "web", `${mib}M`, "--live", "--timeout", `${timeout}ms`];
    return {
      words,
      make: async (scene) => {
        const { code, stdout, stderr } = await scene.cli(...words, "--json");
        return `${code} ${outcomeOf(stdout) ?? stderr.trim()}`;
      },
    };
  }
  return {
    words: [`${mib}`, `${timeout}`],
    make: (scene) =>
      scene.domain.setMemory(mib * MIB, { scope: "dynamic", timeout }).then(
        ({ outcome }) => outcome,
        (error: Error) => (error instanceof RefusedError ? error.report.outcome : error.message),
      ),
  };
}

function outcomeOf(stdout: string): string | undefined {
  const { outcome, error } = (stdout === "" ? {} : JSON.parse(stdout)) as {
    readonly outcome?: string;
    readonly error?: { readonly report?: { readonly outcome: string } };
  };
  return outcome ?? error?.report?.outcome;
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
