import type { MachineSample, Sample } from "../../../src/domain/views/sample.ts";

const GIB = 2 ** 30;

/** A machine with two vCPUs, a balloon, a disk and a net. */
export function machineOf(name: string, more: Partial<MachineSample> = {}): MachineSample {
  return {
    name,
    defined: true,
    state: "running",
    pid: 100,
    cpuTime: 10_000,
    vcpus: [
      { vcpu: 0, cpu: 3, cpuTime: 5000, waitTime: 100 },
      { vcpu: 1, cpu: 0, cpuTime: 4000, waitTime: 0 },
    ],
    count: { current: 2, max: 4 },
    memory: { current: 2 * GIB, target: null, max: 4 * GIB, host: GIB, cgroup: null, guest: { total: 2 * GIB, available: GIB / 2 } },
    disks: { at: 0, disks: [diskOf("vda", 0)] },
    nets: [netOf("tap0", 0)],
    differs: [],
    interrupted: false,
    asked: 1000,
    ...more,
  };
}

/** A disk of which so many bytes were read. */
export function diskOf(disk: string, readBytes: number): NonNullable<MachineSample["disks"]>["disks"][number] {
  return {
    ...{ disk, readBytes, writtenBytes: 0, reads: readBytes / 512, writes: 0, flushes: 0 },
    ...{ readTime: 0, writeTime: 0, flushTime: 0, failedReads: 0, failedWrites: 0 },
  };
}

/** An interface from which a guest has so many bytes. */
export function netOf(name: string, receivedBytes: number): MachineSample["nets"][number] {
  return { interface: name, receivedBytes, receivedPackets: 0, receivedDropped: 0, sentBytes: 0, sentPackets: 0 };
}

/** A look at a host of 8 CPUs, at a moment in milliseconds. */
export function sampleOf(machines: readonly MachineSample[], at = 0): Sample {
  return {
    at,
    time: new Date(1.7e12 + at).toISOString(),
    host: {
      name: "kvm1",
      cpus: 8,
      cpuTime: { total: 8 * at, busy: 2 * at, stolen: 0 },
      load: [1.5, 1, 0.5],
      pressure: { cpu: 1.25, memory: 0, io: null },
      memory: { total: 32 * GIB, available: 8 * GIB, swap: 0, swapFree: 0 },
    },
    machines,
  };
}

/** A look of which every text is that of somebody who means harm. */
export function hostileSample(text: string): Sample {
  const differs = (["next start", "drift", "moving"] as const).map((kind) => ({ resource: text, kind, why: text }));
  const sample = sampleOf([
    machineOf(text, { reason: text, differs, state: "unreachable", disks: { at: 0, disks: [diskOf(text, 0)] }, nets: [netOf(text, 0)] }),
    machineOf(text, { defined: false, state: null, reason: text, user: 1000 }),
  ]);
  return { ...sample, host: { ...sample.host, name: text } };
}
