import { appended } from "../../config/appended.ts";
import type { Edit } from "../../config/edit.ts";
import { PLAIN, readBackend } from "../../config/memory-backend.ts";
import { dimmPositions, dimmWords, idsInArgs } from "../../config/memory-in-args.ts";

/** What the words of a DIMM in `args` are made from. */
interface Wanted {
  readonly id: string;
  /** 0: no such DIMM. */
  readonly size: number;
  readonly node: number;
  readonly backend?: string;
}

/** What a DIMM's backend is called, if that is free. */
export function backendFor(id: string): string {
  return `${id}-ram`;
}

/** The first free one of names with a number behind. */
export function numbered(name: string, isTaken: (name: string) => boolean): string {
  for (let turn = 2; ; turn++) if (!isTaken(`${name}-${turn}`)) return `${name}-${turn}`;
}

/** The words of `args` that a change adds, or takes away from the last one on. */
export function editsOf(wanted: Wanted, args: readonly string[]): readonly Edit[] {
  if (wanted.size === 0)
    return dimmPositions(args, wanted.id)
      .toReversed()
      .map((position): Edit => ({ path: ["args", String(position)], value: undefined }));
  return appended(wordsFor(wanted, args), args);
}

/** All of `args` after a change. */
export function argsAfter(wanted: Wanted, args: readonly string[]): readonly string[] {
  const gone = new Set(dimmPositions(args, wanted.id));
  return wanted.size === 0 ? args.filter((_, position) => !gone.has(position)) : [...args, ...wordsFor(wanted, args)];
}

function wordsFor({ id, size, node, backend }: Wanted, args: readonly string[]): readonly string[] {
  const taken = idsInArgs(args);
  const memdev = taken.has(backendFor(id)) ? numbered(backendFor(id), (name) => taken.has(name)) : backendFor(id);
  return dimmWords({ id, size, node, memdev }, backend === undefined ? PLAIN : readBackend(backend));
}
