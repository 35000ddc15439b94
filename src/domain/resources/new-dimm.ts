import { idsInArgs } from "../../config/memory-in-args.ts";
import type { Facts } from "../facts/facts.ts";
import { checkDimm, type DimmChange } from "./dimm-change.ts";

/** A change that is worked out from the ids that are taken. */
export interface NewDimm {
  (facts: Facts): readonly DimmChange[];
  readonly oneHalf: true;
  readonly asks: { readonly name: "newDimm"; readonly args: readonly [size: number, options: { readonly node: number }] };
}

/**
 * The change that plugs a DIMM of a size under an id that neither half has: `dimm1`, `dimm2`, … @throws UsageError for a size of no DIMM
 */
export function newDimm(size: number, { node = 0 }: { readonly node?: number } = {}): NewDimm {
  checkDimm({ resource: "dimm", id: "dimm1", size, node });
  const changes = ({ config, live }: Facts): readonly DimmChange[] => {
    const taken = new Set([
      ...(config === null ? [] : idsInArgs(config.args)),
      ...(live?.ids ?? []),
      ...(live?.memoryBackends?.keys() ?? []),
    ]);
    for (let turn = 1; ; turn++) {
      const id = `dimm${turn}`;
      if (!taken.has(id) && !taken.has(`${id}-ram`)) return [{ resource: "dimm", id, size, node }];
    }
  };
  return Object.assign(changes, { oneHalf: true as const, asks: { name: "newDimm", args: [size, { node }] } as const });
}
