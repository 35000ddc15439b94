import { type RuleName, type Score, trial } from "../lab/balance-trial.ts";
import type { Workload } from "../lab/memory-world.ts";
import type { Row } from "./measure.ts";

const WORKLOADS: readonly Workload[] = ["steady", "tides", "spikes", "herd"];
/** RAM of the host, as a part of what all working sets take on average. */
const ROOMS: readonly number[] = [1.25, 1.5, 2];
const SEEDS: readonly number[] = [1, 2, 3];
const GUESTS = 200;

/**
 * An hour of a host with hundreds of guests whose working sets change, by our rule and by what Proxmox VE documents of its own. Guests are
 * simulated, and so is the host: no QEMU takes part.
 */
export async function balanceRows(): Promise<readonly Row[]> {
  return WORKLOADS.flatMap((workload) => ROOMS.flatMap((room) => rowsOf(workload, room)));
}

function rowsOf(workload: Workload, room: number): readonly Row[] {
  const scores = (rule: RuleName): readonly Score[] => SEEDS.map((seed) => trial(rule, { seed, guests: GUESTS, workload, room }));
  const [ours, theirs] = [scores("ours"), scores("proxmox")];
  const sum = (of: readonly Score[], key: keyof Score): number => of.reduce((all, score) => all + score[key], 0);
  const shown = (of: readonly Score[]): string =>
    `${sum(of, "belowNeed")} s, ${sum(of, "moves")} moves, ${sum(of, "turns")} turns (${sum(of, "thrash")} thrash, ${sum(of, "regrets")} regrets), ${sum(of, "overcommitted")} s too full`;
  const isBetter = ours.every(
    (score, index) => score.belowNeed <= (theirs[index]?.belowNeed ?? 0) && score.missing <= (theirs[index]?.missing ?? 0),
  );
  return [
    {
      work: `balance ${workload}, room ${room}: guest seconds below need`,
      ours: shown(ours),
      against: shown(theirs),
      ratio: sum(theirs, "belowNeed") === 0 ? "-" : (sum(ours, "belowNeed") / sum(theirs, "belowNeed")).toFixed(2),
      goal: "fewer, no thrash",
      reached: isBetter && sum(ours, "thrash") === 0 && sum(ours, "overcommitted") === 0,
    },
  ];
}
