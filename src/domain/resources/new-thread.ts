import type { LiveFacts } from "../facts/facts.ts";
import { ALL, ownValue } from "./cpu-list.ts";
import { iothreadPinStep } from "./iothread-pin.ts";
import { iothreadSchedStep, policyToGive, vcpuSchedStep } from "./sched-step.ts";
import type { PinStep, Step } from "./step.ts";

/** What a vCPU's new thread is given: its own mask, and its own policy. It would inherit those of the emulator's main thread. */
export function newVcpuSteps(vcpu: number, facts: LiveFacts): readonly Step[] {
  return [...maskStep(vcpu, facts), ...policyStep(vcpu, facts)];
}

/** What a new iothread is given; the same goes for it. */
export function newIothreadSteps(id: string, { live, config, online }: LiveFacts): readonly Step[] {
  if (live.pid === null) return [];
  const pin = ownValue(config?.threads?.iothreads, id);
  const inherits = live.mainAffinity !== null && [...online].every((cpu) => live.mainAffinity?.has(cpu));
  const policy = policyToGive(ownValue(config?.threads?.iothreadsSched, id), live);
  return [
    ...(pin === undefined && inherits ? [] : [iothreadPinStep(id, pin ?? ALL, null)]),
    ...(policy === null ? [] : [iothreadSchedStep(id, policy)]),
  ];
}

function maskStep(vcpu: number, { live, config, online }: LiveFacts): readonly PinStep[] {
  if (live.pinObstacle !== null || live.pid === null) return [];
  const pin = config?.vcpus.pin[String(vcpu)];
  if (pin !== undefined) return [{ kind: "pin", vcpu, cpus: pin, before: null, allowSubset: false }];
  const inherits = live.mainAffinity !== null && [...online].every((cpu) => live.mainAffinity?.has(cpu));
  return inherits ? [] : [{ kind: "pin", vcpu, cpus: "all", before: null, allowSubset: true }];
}

function policyStep(vcpu: number, { live, config }: LiveFacts): readonly Step[] {
  const policy = policyToGive(ownValue(config?.vcpus.sched, String(vcpu)), live);
  return live.pinObstacle !== null || live.pid === null || policy === null ? [] : [vcpuSchedStep(vcpu, policy, null)];
}
