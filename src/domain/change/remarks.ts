import { formatSize } from "../../config/size.ts";
import { listVcpus, shellWord } from "../model/format.ts";
import { nameOf } from "../resources/registry.ts";
import { resetRisk } from "../resources/replug.ts";
import { leavingOf } from "../resources/unplug.ts";
import type { Ending } from "./ending.ts";

/** What whoever made a change ought to know of what it means later. */
export function remarksOf(ending: Ending): readonly string[] {
  return [...withoutReturn(ending), ...notMade(ending), ...besides(ending)];
}

/** Said at once: whoever wants the vCPUs back finds out the next morning else. */
function withoutReturn({ records, name, dryRun, after: { live } }: Ending): readonly string[] {
  if (dryRun) return [];
  const risk = live === null || !records.some(({ step }) => step.kind === "unplug") ? null : resetRisk(live);
  return [
    ...(risk === null ? [] : [`${risk}, so a reboot from inside the guest ends it`]),
    ...records.flatMap(({ step, outcome }) => {
      if (step.kind !== "unplug" || step.noReturn === null || (outcome !== "done" && outcome !== "pending")) return [];
      return [
        `${listVcpus(leavingOf(step))} can't come back while this QEMU runs: ${step.noReturn}; qmpctl restart ${shellWord(name)} is the way`,
      ];
    }),
  ];
}

function notMade({ plan: { left = [] } }: Ending): readonly string[] {
  return left.map(
    ({ change, refusals }) =>
      `${nameOf(change)}: left as it is: ${refusals.map(({ reason, instead }) => (instead === undefined ? reason : `${reason}; instead: ${instead}`)).join("; ")}`,
  );
}

/** A config whose maximum is written says nothing of what was plugged. */
function besides({ plan: { changes }, facts: { live } }: Ending): readonly string[] {
  if (live === null || !changes.some(({ change, static: leg }) => change.resource === "max-memory" && leg !== null)) return [];
  const { dimms = 0, virtioMem = 0 } = live.memory;
  const plugged = [
    ...(dimms > 0 ? [`DIMMs (${formatSize(dimms)})`] : []),
    ...(virtioMem > 0 ? [`virtio-mem (${formatSize(virtioMem)})`] : []),
  ];
  return plugged.length === 0
    ? []
    : [`memory.max is what QEMU starts with: ${plugged.join(" and ")} come again where the config's args plug them, and only there`];
}
