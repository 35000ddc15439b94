import type { LaunchConfig } from "../../config/launch.ts";
import { readBackend } from "../../config/memory-backend.ts";
import { backendInArgs, type DimmInArgs, dimmsInArgs, mayHaveMore } from "../../config/memory-in-args.ts";
import { formatSize } from "../../config/size.ts";
import { readDimmBackends } from "../facts/dimm-backends.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import { type Dimm, dimmsIn as listedDimms } from "../facts/memory-devices.ts";
import { readMemoryRoom } from "../facts/memory-room.ts";
import { shellWord } from "../model/format.ts";
import { backendNow, backendTextOf, noReturn, whole, wholeText, withBackend } from "./dimm-backend.ts";
import { checkDimm, type DimmChange, liveDimm } from "./dimm-change.ts";
import { configReasons, machineReasons } from "./dimm-reasons.ts";
import { removeBackend } from "./dimm-removal.ts";
import { type DimmPlugStep, type DimmUnplugStep, plugDimm, unplugDimm } from "./dimm-steps.ts";
import { argsAfter, backendFor, editsOf, numbered } from "./dimm-words.ts";
import { sizeIn } from "./file-part.ts";
import { pendingDimms } from "./pending.ts";
import type { ResourceKind } from "./resource.ts";
import { CHANGED, type DiffRow } from "./row.ts";
import type { Step } from "./step.ts";

/** `plugmem`, `unplugmem`: DIMMs, each on memory of its own. */
export const dimm: ResourceKind<DimmChange, { readonly memory: { readonly dimms: Readonly<Record<string, string | null>> } }> = {
  resource: "dimm",
  row: 14,
  label: ({ id }) => `dimm ${id}`,
  unit: "bytes",
  members: { id: "text", size: "number", node: "number" },
  inFile: {
    path: ["memory", "dimms"],
    shape: '{"ID": SIZE}',
    example: '{"dimm1": "1GiB"}',
    changes: (value, place, complain) => {
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        return Object.entries(value).flatMap(([id, each]): readonly DimmChange[] => {
          // As memory.plugged says that a device gives nothing.
          const size = each === null || each === "0" ? 0 : sizeIn(each, `${place}.${id}`, complain);
          return size === undefined ? [] : [{ resource: "dimm", id, size, node: 0 }];
        });
      complain(place, value, 'an object, as {"dimm1": "1GiB"}; null for no such DIMM');
      return [];
    },
  },
  needsGuest: true,
  movesHostMemory: true,
  // The balloon's sizes count DIMMs.
  isMaximum: true,
  stepKinds: [plugDimm, unplugDimm, removeBackend],
  reads: [readMemoryRoom, readDimmBackends],
  withValue: (change, value) => (typeof value === "string" ? whole(change, value) : { ...change, size: value }),
  check: checkDimm,
  wanted: ({ size }) => size,
  command: ({ id, size, node, backend }, name) =>
    backend !== undefined && size > 0
      ? null
      : size === 0
        ? `unplugmem ${shellWord(name)} ${shellWord(id)}`
        : `plugmem ${shellWord(name)} ${formatSize(size)} --id ${shellWord(id)}${node === 0 ? "" : ` --node ${node}`}`,

  inConfig: ({ id }, { args }) => inArgs(args, id)?.size ?? 0,
  edits: (change, { args }) => editsOf(change, args),
  applied: (change, config) => ({ ...config, args: argsAfter(change, config.args) }),
  staticReasons: (change, { after, config }) => configReasons(change, config ?? after, after),

  inLive: ({ id }, live) => liveDimm(id, live)?.size ?? 0,
  needed: ({ id, size }, facts) =>
    (liveDimm(id, facts.live)?.size ?? 0) !== size || pendingDimms(facts).includes(id) || isLeft(id, facts.live),
  liveReasons: (change, facts, { name, force }) => machineReasons(change, facts, { name, force }),
  back: ({ id }, { live }) => {
    const there = liveDimm(id, live);
    return there === undefined ? 0 : wholeText(there, backendNow(there, live));
  },
  configBack: ({ id }, { args }) => {
    const there = inArgs(args, id);
    return there === undefined
      ? 0
      : there.size === null
        ? null
        : wholeText({ ...there, size: there.size }, backendInArgs(args, there.memdev));
  },
  steps: ({ id, size, node, backend }, { live, config }): readonly Step[] => {
    const there = liveDimm(id, live);
    if (size === 0 && there === undefined) return [{ kind: "dimm-backend", memdev: backendFor(id) } as Step];
    // It is on its way out, and nothing stops it: only who insists comes so far.
    if (there !== undefined && size > 0) return [];
    return [there === undefined ? plugStep({ id, size, node, backend }, { live, config }) : unplugStep(there, live)];
  },

  rows: (facts) => idsOf(facts).map((id) => rowOf(id, facts)),
  revert: (facts) => (mayHaveMore(facts.config.args) ? [] : dimmsToRevert(facts)),
  persist: ({ config, live }) => {
    const fixed = dimmsInArgs(config.args);
    const gone = fixed
      .filter(({ id }) => liveDimm(id, live) === undefined)
      .map(({ id }): DimmChange => ({ resource: "dimm", id, size: 0, node: 0 }));
    const come = listedDimms(live.memory.devices)
      .filter(({ id, size }) => inArgs(config.args, id)?.size !== size)
      .map((each): DimmChange => ({
        resource: "dimm",
        id: each.id,
        size: each.size,
        node: each.node,
        ...backendTextOf(backendNow(each, live)),
      }));
    return mayHaveMore(config.args) ? [] : [...gone, ...come];
  },
};

/** The changes that make the running machine's DIMMs those of its config. */
export function dimmsToRevert({ config, live }: { readonly config: LaunchConfig; readonly live: Live }): readonly DimmChange[] {
  const come = dimmsInArgs(config.args)
    .filter(({ id, size }) => size !== null && liveDimm(id, live)?.size !== size)
    .map(({ id, size, node, memdev }): DimmChange => ({
      resource: "dimm",
      id,
      size: size ?? 0,
      node,
      ...backendTextOf(backendInArgs(config.args, memdev)),
    }));
  const go = listedDimms(live.memory.devices)
    .filter(({ id }) => inArgs(config.args, id) === undefined)
    .map(({ id }): DimmChange => ({ resource: "dimm", id, size: 0, node: 0 }));
  return [...go, ...come];
}

function inArgs(args: readonly string[], id: string): DimmInArgs | undefined {
  return dimmsInArgs(args).find((each) => each.id === id);
}

/** A backend of ours without its DIMM, as a plug leaves one that was cut short. */
function isLeft(id: string, live: Live): boolean {
  const isUsed = live.memory.devices?.some(({ memdev }) => memdev === backendFor(id)) === true;
  return liveDimm(id, live) === undefined && !isUsed && live.memoryBackends?.has(backendFor(id)) === true;
}

function plugStep(
  { id, size, node, backend }: Omit<DimmChange, "resource" | "backend"> & { readonly backend: string | undefined },
  { live, config }: Pick<LiveFacts, "live" | "config">,
): DimmPlugStep {
  const memdev = freeBackend(id, live, config);
  const from = backend === undefined ? {} : withBackend(readBackend(backend));
  return { kind: "dimm-plug", id, memdev, size, node, ...from, isLeft: live.memoryBackends?.has(memdev) === true };
}

function unplugStep(there: Dimm, live: Live): DimmUnplugStep {
  const { id, memdev, size, node } = there;
  const backend = backendNow(there, live);
  const from = typeof backend === "string" ? {} : withBackend(backend);
  return { kind: "dimm-unplug", id, memdev, size, node, ...from, noReturn: noReturn(there, live) };
}

/** A name for the backend that nothing else has; that of one which is left over is used again. */
function freeBackend(id: string, live: Live, config: LaunchConfig | null): string {
  const used = new Set([...(live.memory.devices ?? []).map(({ memdev }) => memdev)]);
  const fixed = config === null ? undefined : inArgs(config.args, id)?.memdev;
  const isFree = (name: string): boolean => !used.has(name) && (isLeft(id, live) || live.memoryBackends?.has(name) !== true);
  return (
    [fixed, backendFor(id)].find((name) => name !== undefined && isFree(name)) ??
    numbered(backendFor(id), (name) => live.memoryBackends?.has(name) === true || used.has(name))
  );
}

/** Every DIMM that either half knows of. */
function idsOf({ config, live }: Facts): readonly string[] {
  const fixed = config === null ? [] : dimmsInArgs(config.args).map(({ id }) => id);
  return [...new Set([...fixed, ...listedDimms(live?.memory.devices).map(({ id }) => id)])];
}

function rowOf(id: string, facts: Facts): DiffRow {
  const { config, live } = facts;
  const fixed = config === null ? null : (inArgs(config.args, id)?.size ?? 0);
  const now = live === null ? null : (liveDimm(id, live)?.size ?? 0);
  const isPending = live !== null && pendingDimms({ ...facts, live } as LiveFacts).includes(id);
  const differs = fixed === null || now === null || fixed === now ? null : CHANGED;
  const waits = `waits for the guest: asked to let go of it${differs === null ? "" : `; ${differs}`}`;
  return { resource: `dimm ${id}`, config: fixed, live: now, guest: null, why: isPending ? waits : differs };
}
