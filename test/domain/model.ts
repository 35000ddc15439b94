import { cpuGroupOf, vcpuOf } from "../../scripts/lab/facts.ts";
import { parseLaunchConfig } from "../../src/config/launch.ts";
import type { Plan } from "../../src/domain/change/plan.ts";
import type { LiveFacts } from "../../src/domain/facts/facts.ts";
import type { Live } from "../../src/domain/facts/live.ts";
import { resolveCpuList } from "../../src/domain/resources/cpu-list.ts";
import type { CpuQuotaStep } from "../../src/domain/resources/cpu-quota.ts";
import type { CpuWeightStep } from "../../src/domain/resources/cpu-weight.ts";
import { indices } from "../../src/domain/resources/slots.ts";
import type { BalloonStep, PinStep, PlugStep, Step, UnplugStep } from "../../src/domain/resources/step.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";

/** The facts once a machine and its guest have done all that a plan asks of them. */
export function afterRevert(facts: LiveFacts, plan: Plan): LiveFacts {
  return { ...facts, live: plan.steps.reduce((live, { step }) => afterStep(live, step as KnownStep, facts), facts.live) };
}

/** The facts once a plan's config is written. */
export function afterPersist(facts: LiveFacts, plan: Plan): LiveFacts {
  return plan.text === null ? facts : { ...facts, config: parseLaunchConfig(plan.text, "web1.json") };
}

/** The step of emulator-pin.ts, which keeps its type to itself. */
interface EmulatorPinStep extends Step {
  readonly kind: "emulator-pin";
  readonly cpus: string;
}

type KnownStep = CpuQuotaStep | CpuWeightStep | EmulatorPinStep | BalloonStep | PlugStep | UnplugStep | PinStep;

function afterStep(live: Live, step: KnownStep, { online }: LiveFacts): Live {
  switch (step.kind) {
    case "balloon":
      return { ...live, memory: { ...live.memory, actual: step.target } };
    case "plug": {
      // A new thread inherits the mask of the emulator's main thread.
      const affinity = live.mainAffinity === null ? null : formatCpuList(live.mainAffinity);
      const vcpus = [...live.vcpus, ...indices(step.slot).map((index) => vcpuOf(index, affinity))].toSorted((a, b) => a.index - b.index);
      return {
        ...live,
        vcpus,
        slots: live.slots.map((slot) => (slot.first === step.slot.first ? { ...slot, plugged: true, device: step.id } : slot)),
      };
    }
    case "unplug": {
      const gone = new Set(step.slots.map(({ slot }) => slot.first));
      const vcpus = live.vcpus.filter(({ index }) => !step.slots.some(({ slot }) => indices(slot).includes(index)));
      return { ...live, vcpus, slots: live.slots.map((slot) => (gone.has(slot.first) ? { ...slot, plugged: false, device: null } : slot)) };
    }
    case "cpu-quota":
      return { ...live, cpuGroup: { ...(live.cpuGroup ?? cpuGroupOf()), quota: step.quota } };
    case "cpu-weight":
      return { ...live, cpuGroup: { ...(live.cpuGroup ?? cpuGroupOf()), weight: step.weight } };
    case "emulator-pin":
      return { ...live, mainAffinity: resolveCpuList(step.cpus, online) };
    case "pin":
      return {
        ...live,
        vcpus: live.vcpus.map((vcpu) =>
          vcpu.index === step.vcpu ? { ...vcpu, affinity: formatCpuList(resolveCpuList(step.cpus, online)) } : vcpu,
        ),
      };
  }
}
