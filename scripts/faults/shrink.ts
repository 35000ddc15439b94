import type { Move } from "./move.ts";

/**
 * Finds a short sequence that still fails. It leaves out halves of the moves, then quarters, down to single moves, then single changes and
 * mishaps. It repeats this until nothing more can be left out.
 */
export async function shortest(moves: readonly Move[], fails: (moves: readonly Move[]) => Promise<boolean>): Promise<readonly Move[]> {
  let best = moves;
  for (let before = 0; before !== sizeOf(best);) {
    before = sizeOf(best);
    for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      best = await without(best, size, fails);
    best = await simpler(best, fails);
  }
  return best;
}

function sizeOf(moves: readonly Move[]): number {
  return moves.reduce((sum, { changes, mishap, paused }) => sum + 1 + changes.length + Number(mishap !== null) + Number(paused), 0);
}

/** Leaves out runs of this many moves, starting at the end, because late moves are seldom needed. */
async function without(
  moves: readonly Move[],
  size: number,
  fails: (moves: readonly Move[]) => Promise<boolean>,
): Promise<readonly Move[]> {
  let best = moves;
  for (let end = best.length; end > 0; end -= size) {
    const fewer = best.toSpliced(Math.max(0, end - size), Math.min(size, end));
    if (fewer.length > 0 && (await fails(fewer))) best = fewer;
  }
  return best;
}

async function simpler(moves: readonly Move[], fails: (moves: readonly Move[]) => Promise<boolean>): Promise<readonly Move[]> {
  let best = moves;
  for (const position of moves.keys()) {
    const move = (): Move => best[position] as Move;
    const attempt = async (next: Move): Promise<void> => {
      if (await fails(best.with(position, next))) best = best.with(position, next);
    };
    for (const change of move().changes)
      if (move().changes.length > 1) await attempt({ ...move(), changes: move().changes.filter((it) => it !== change) });
    if (move().mishap !== null) await attempt({ ...move(), mishap: null });
    if (move().paused) await attempt({ ...move(), paused: false });
  }
  return best;
}
