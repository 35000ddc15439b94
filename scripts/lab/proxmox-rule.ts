import type { World, WorldGuest } from "./memory-world.ts";

/**
 * What Proxmox VE documents of its automatic allocation, in words of our own, as of its versions 7 to 9: every ten seconds the host is
 * brought nearer to 80 % of its RAM in use; a difference of up to 10 MiB is left as it is. Memory is given first to guests whose unused
 * memory is no more than a quarter of their minimum, and only if none of them takes any, to all. It is taken first from the others, and
 * only if none of them gives any, from all. Among those, what lies above the minimums is shared in proportion to the shares (all have the
 * same here), between minimum and maximum, and a guest moves by at most 100 MiB at a time. Who is full or empty leaves the rest to the
 * others.
 */
export const PROXMOX = { every: 10, part: 0.8, dead: 10, step: 100, pressed: 0.25 };

/** The new targets, by the guests' names. */
export function proxmoxTargets(world: World): ReadonlyMap<string, number> {
  const goal = world.total * PROXMOX.part - world.used;
  if (Math.abs(goal) <= PROXMOX.dead) return new Map();
  const isRoomy = ({ word, min, actual }: WorldGuest): boolean => word.free > min * PROXMOX.pressed && actual >= min;
  const first = world.guests.filter((guest) => isRoomy(guest) === goal < 0);
  const moved = share(first, goal);
  return moved.size > 0 ? moved : share(world.guests, goal);
}

/** Shares out a goal, in rounds: what those at a limit leave is for the others. */
function share(guests: readonly WorldGuest[], goal: number): ReadonlyMap<string, number> {
  const now = new Map(guests.map(({ name, actual }) => [name, actual]));
  let open = [...guests];
  let rest = goal;
  while (open.length > 0 && Math.abs(rest) > 1) {
    const above = open.reduce((sum, { name, min }) => sum + (now.get(name) ?? 0) - min, 0);
    const each = (above + rest) / open.length;
    let done = 0;
    const still: WorldGuest[] = [];
    for (const guest of open) {
      const before = now.get(guest.name) ?? guest.actual;
      const wanted = Math.min(guest.most, Math.max(guest.min, guest.min + each));
      // Growing, nobody is made smaller for another one, and the other way round.
      const sided = goal > 0 ? Math.max(guest.actual, wanted) : Math.min(guest.actual, wanted);
      const after = Math.min(guest.actual + PROXMOX.step, Math.max(guest.actual - PROXMOX.step, sided));
      if (Math.abs(after - before) < 1) continue;
      now.set(guest.name, after);
      done += after - before;
      still.push(guest);
    }
    if (Math.abs(done) < 1) break;
    rest -= done;
    open = still;
  }
  return new Map([...now].filter(([name, size]) => guests.some((guest) => guest.name === name && Math.abs(guest.actual - size) >= 1)));
}
