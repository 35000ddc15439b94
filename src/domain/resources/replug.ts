import type { Live, Slot } from "../facts/live.ts";
import type { MachineNotes } from "../facts/notes.ts";
import { listVcpus } from "../model/format.ts";
import type { Reason } from "./resource.ts";

/** From this QEMU on, plugging a vCPU again works under TCG while threads are left; 7.2 dies at the first one (measured). */
const REPLUG_WORKS_SINCE = 10;

/**
 * From this QEMU on, guests under TCG work with a vCPU above a missing one: 10.0 is the first that was seen to, 7.2 the last that fails.
 */
const HOLES_WORK_SINCE = 10;

/**
 * Whether plugging vCPUs again could kill the machine. Under TCG an unplugged vCPU's thread context is never given back,
 * and QEMU aborts when it starts more threads, over its whole life, than the machine has room for
 * (tcg_register_thread: assertion n < tcg_max_ctxs; measured on 10.0 and 11.1). KVM has no such limit.
 */
export function replugRisk(slots: readonly Slot[], live: Live, asked: MachineNotes): readonly Reason[] {
  if (!live.tcg) return [];
  const again = slots.filter((slot) => slot.ejected);
  const ejected = live.slots.filter((slot) => slot.ejected).length;
  const plugged = live.vcpus.length;
  // Ours counts exactly; without it, each empty slot with an ejection in its past stands for one thread used up.
  const used = Math.max(asked.threads ?? 0, plugged + ejected);
  // Threads that came and went without a word of the guest's on it: which vCPUs they were, nobody can tell.
  const unannounced = Math.max(0, (asked.threads ?? 0) - plugged - ejected);
  const adding = slots.reduce((sum, slot) => sum + slot.count, 0);
  if (again.length > 0 && live.version.major < REPLUG_WORKS_SINCE) {
    return [
      risk(
        `QEMU ${live.version.text} with software emulation (TCG) dies when ${listVcpus(again.map((slot) => slot.first))}, unplugged before, ${again.length === 1 ? "is" : "are"} plugged again`,
      ),
    ];
  }
  if (slots.length > 0 && unannounced > 0 && live.version.major < REPLUG_WORKS_SINCE) {
    return [
      risk(
        `QEMU ${live.version.text} with software emulation (TCG) dies when a vCPU that was unplugged before is plugged again, and which of the free ones were is not known`,
      ),
    ];
  }
  if (used + adding <= live.maxVcpus) return [];
  return [
    risk(
      `QEMU with software emulation (TCG) dies when it starts more vCPU threads in its life than it has room for (${live.maxVcpus}, and ${used} are used up)`,
    ),
  ];
}

/**
 * Why a reset could kill the machine, as a string; null where it does not. 7.2 under TCG dies at a reset, the guest's own too, after vCPUs
 * were unplugged (measured); 10.0 and 11.1 live.
 */
export function resetRisk({ tcg, slots, version }: Live): string | null {
  const gone = slots.filter(({ ejected }) => ejected).map(({ first }) => first);
  return !tcg || gone.length === 0 || version.major >= REPLUG_WORKS_SINCE
    ? null
    : `QEMU ${version.text} with software emulation (TCG) dies at a reset after ${listVcpus(gone)} ${gone.length === 1 ? "was" : "were"} unplugged`;
}

/**
 * Whether the guest would hang with these vCPUs. Under TCG, interrupts to a group of vCPUs don't come to those above a missing one
 * (hw/intc/apic.c of 5.2 and 7.2 ends its search there), so the guest locks up, at its boot too (measured; not on 10.0 and 11.1). KVM's own
 * interrupt controllers have no such limit, and other machines than PCs none of these.
 */
export function holeRisk(set: ReadonlySet<number>, { tcg, version, slots }: Pick<Live, "tcg" | "version" | "slots">): readonly Reason[] {
  const above = [...set].filter((vcpu) => vcpu >= set.size).sort((one, other) => one - other);
  const isPc = slots.some(({ type }) => /-(x86_64|i386)-cpu$/.test(type));
  if (!tcg || !isPc || version.major >= HOLES_WORK_SINCE || above.length === 0) return [];
  const missing = Array.from({ length: above.at(-1) ?? 0 }, (_, vcpu) => vcpu).filter((vcpu) => !set.has(vcpu));
  const reason = `QEMU ${version.text} with software emulation (TCG) sends interrupts only up to the first missing vCPU, so a guest hangs with ${listVcpus(above)} and without ${listVcpus(missing)}`;
  return [{ reason, instead: `KVM, QEMU ${HOLES_WORK_SINCE} or newer, or vCPUs without a gap` }];
}

function risk(reason: string): Reason {
  return { reason, instead: "restart the machine, or --force" };
}
