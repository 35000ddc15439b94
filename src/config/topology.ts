/**
 * The levels of a machine's vCPUs, from the outermost inwards, as `-smp` names them in QEMU 5.2 to 11.1. Each machine type knows some of
 * them.
 */
export const LEVELS = ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"] as const;

/** Levels that every machine type knows. A topology with all of them leaves nothing open. */
const EVERYWHERE = ["sockets", "cores", "threads"] as const;

/** The product of the levels that a topology names. Its values need not be checked yet. */
export function productOf(topology: Readonly<Record<string, unknown>>): number {
  return LEVELS.reduce((so_far, level) => so_far * (countOf(topology, level) ?? 1), 1);
}

function countOf(topology: Readonly<Record<string, unknown>>, level: string): number | undefined {
  return Number.isInteger(topology[level]) ? Number(topology[level]) : undefined;
}

/**
 * What is wrong with a topology for this many vCPUs; undefined if it fits. The levels that it names must divide `max`, because QEMU
 * completes the others. Its values need not be checked yet.
 */
export function misfit(topology: Readonly<Record<string, unknown>>, max: number): string | undefined {
  const product = productOf(topology);
  const isWhole = EVERYWHERE.every((level) => countOf(topology, level) !== undefined);
  if (isWhole) return product === max ? undefined : `a product of ${max}, as vcpus.max is, not ${product}`;
  return max % product === 0 ? undefined : `a product that divides ${max}, as vcpus.max is, not ${product}`;
}

/**
 * How many vCPUs the cores have that a machine starts with whole ones of, as QEMU's hw/ppc/spapr.c has it; 1 where it starts with any
 * number.
 */
export function wholeCore({
  emulator,
  vcpus: { topology },
}: {
  readonly emulator: string;
  readonly vcpus: { readonly topology?: { readonly threads?: number | undefined } };
}): number {
  return /qemu-system-ppc64[^/]*$/.test(emulator) ? (topology?.threads ?? 1) : 1;
}
