import type { MachineSample, Sample } from "../../domain/views/sample.ts";

/** One frame: what `top --json` prints on one line. CPU is percent of one of the host's CPUs, memory bytes, traffic bytes a second. */
export interface Frame {
  /** By that host's clock; ISO 8601. */
  readonly time: string;
  /** Milliseconds that the rates are over; null in a first frame, which has none. */
  readonly over: number | null;
  readonly host: HostFrame;
  readonly sum: Sum;
  readonly domains: readonly DomainFrame[];
}

/** The host as a whole. */
export interface HostFrame {
  readonly name: string;
  readonly cpus: number;
  /** Percent of all its CPUs together; `stolen` by its own host. Null in a first frame. */
  readonly busy: number | null;
  readonly stolen: number | null;
  readonly load: readonly number[];
  readonly pressure: Sample["host"]["pressure"];
  readonly memory: Sample["host"]["memory"];
}

/** All together. */
export interface Sum {
  readonly domains: number;
  /** QEMUs that have no config here. */
  readonly others: number;
  readonly running: number;
  readonly paused: number;
  readonly stopped: number;
  /** vCPUs and memory of all whose QEMU is there, as far as that is known. */
  readonly vcpus: number;
  readonly memory: number;
  /** What these QEMUs have in the host's RAM. */
  readonly host: number;
}

/** One domain. */
export interface DomainFrame extends Omit<MachineSample, "cpuTime" | "vcpus" | "disks" | "nets"> {
  /** What all of its QEMU used; null where that is not known. */
  readonly cpu: number | null;
  /** How much its vCPUs waited for a CPU, all together. */
  readonly steal: number | null;
  readonly vcpus: readonly VcpuFrame[];
  /** Of each disk what the guest read and wrote a second; null where QEMU was not asked twice yet. */
  readonly disks: readonly DiskFrame[] | null;
  /** Of each TAP interface, seen from the guest. */
  readonly nets: readonly NetFrame[];
}

/** One vCPU. */
export interface VcpuFrame {
  readonly vcpu: number;
  /** The host's CPU that it last ran on. */
  readonly on: number | null;
  readonly cpu: number | null;
  readonly steal: number | null;
}

/** One disk: bytes, and requests with flushes, a second. */
export interface DiskFrame {
  readonly disk: string;
  readonly read: number;
  readonly written: number;
  readonly requests: number;
}

/** One interface, in bytes a second. */
export interface NetFrame {
  readonly interface: string;
  readonly received: number;
  readonly sent: number;
}

/** What tells a domain from others for good: two that are not ours may have one name. */
export function keyOf({ name, defined, pid }: Pick<DomainFrame, "name" | "defined" | "pid">): string {
  return defined ? name : `${name}\n${pid}`;
}

/** How many frames are remembered, for the curves. */
const REMEMBERED = 120;

/** Makes frames of samples that come one after the other: what grew, by the time that it took. */
export class Frames {
  #last: Sample | undefined;
  readonly #disks = new Map<
    string,
    { readonly counts: NonNullable<MachineSample["disks"]>; readonly rates: readonly DiskFrame[] | null }
  >();
  readonly #past = new Map<string, number[]>();

  /** The frame of one more sample. */
  next(sample: Sample): Frame {
    const last = this.#last;
    this.#last = sample;
    const over = last === undefined ? null : sample.at - last.at;
    const before = new Map(last?.machines.map((each) => [keyOf(each), each]));
    const domains = sample.machines.map((each) => this.#domain(each, before.get(keyOf(each)), over));
    const there = new Set(domains.map(keyOf));
    for (const map of [this.#disks, this.#past]) for (const key of map.keys()) if (!there.has(key)) map.delete(key);
    return {
      time: sample.time,
      over: over === null ? null : Math.round(over),
      host: hostFrame(sample, last),
      sum: sumOf(domains),
      domains,
    };
  }

  /** The CPU of a domain in the frames before, oldest first. */
  past(domain: DomainFrame): readonly number[] {
    return this.#past.get(keyOf(domain)) ?? [];
  }

  #domain(machine: MachineSample, last: MachineSample | undefined, over: number | null): DomainFrame {
    const { cpuTime, vcpus, disks: _, nets, ...rest } = machine;
    const before = last?.pid === machine.pid ? last : undefined;
    const cpu = percent(cpuTime, before?.cpuTime, over);
    const each = vcpus.map(({ vcpu, cpu: on, ...now }): VcpuFrame => {
      const was = before?.vcpus.find((other) => other.vcpu === vcpu);
      return { vcpu, on, cpu: percent(now.cpuTime, was?.cpuTime, over), steal: percent(now.waitTime, was?.waitTime, over) };
    });
    const waited = each.filter(({ steal }) => steal !== null);
    const key = keyOf(machine);
    const past = this.#past.get(key) ?? [];
    this.#past.set(key, [...past, cpu ?? 0].slice(-REMEMBERED));
    return {
      ...rest,
      cpu,
      steal: waited.length === 0 ? null : waited.reduce((sum, { steal }) => sum + (steal ?? 0), 0),
      vcpus: each,
      disks: this.#diskRates(key, machine, before),
      nets: nets.flatMap((now): NetFrame[] => {
        const was = before?.nets.find((other) => other.interface === now.interface);
        if (was === undefined || over === null) return [];
        const [received, sent] = [rate(now.receivedBytes, was.receivedBytes, over), rate(now.sentBytes, was.sentBytes, over)];
        return [{ interface: now.interface, received, sent }];
      }),
    };
  }

  /** QEMU is not asked for every frame: between its answers, the rates stay. */
  #diskRates(key: string, { disks }: MachineSample, before: MachineSample | undefined): readonly DiskFrame[] | null {
    const known = before === undefined ? undefined : this.#disks.get(key);
    if (disks === null) return (this.#disks.delete(key), null);
    if (known !== undefined && known.counts.at === disks.at) return known.rates;
    const rates =
      known === undefined
        ? null
        : disks.disks.flatMap((now): DiskFrame[] => {
            const was = known.counts.disks.find((other) => other.disk === now.disk);
            const over = disks.at - known.counts.at;
            if (was === undefined) return [];
            const requests = (counts: typeof now): number => counts.reads + counts.writes + counts.flushes;
            return [
              {
                disk: now.disk,
                read: rate(now.readBytes, was.readBytes, over),
                written: rate(now.writtenBytes, was.writtenBytes, over),
                requests: rate(requests(now), requests(was), over),
              },
            ];
          });
    this.#disks.set(key, { counts: disks, rates });
    return rates;
  }
}

function percent(now: number | null | undefined, before: number | null | undefined, over: number | null): number | null {
  if (now == null || before == null || over === null || over <= 0) return null;
  return Math.max(0, Math.round(((now - before) / over) * 1000) / 10);
}

/** A second's worth of what grew in `over` milliseconds. */
function rate(now: number, before: number, over: number): number {
  return over <= 0 ? 0 : Math.max(0, Math.round(((now - before) * 1000) / over));
}

function hostFrame({ host: { name, cpus, cpuTime, load, pressure, memory } }: Sample, last: Sample | undefined): HostFrame {
  const before = last?.host.cpuTime;
  const share = (now: number, was: number | undefined): number | null =>
    percent(now, was, cpuTime.total - (before?.total ?? cpuTime.total));
  return { name, cpus, busy: share(cpuTime.busy, before?.busy), stolen: share(cpuTime.stolen, before?.stolen), load, pressure, memory };
}

function sumOf(domains: readonly DomainFrame[]): Sum {
  const there = domains.filter(({ pid }) => pid !== undefined);
  const sum = (of: (domain: DomainFrame) => number | null): number => there.reduce((all, each) => all + (of(each) ?? 0), 0);
  const count = (...states: readonly DomainFrame["state"][]): number => domains.filter(({ state }) => states.includes(state)).length;
  return {
    domains: domains.filter(({ defined }) => defined).length,
    others: domains.filter(({ defined }) => !defined).length,
    running: count("running"),
    paused: count("paused"),
    stopped: count("stopped"),
    vcpus: sum(({ count: { current } }) => current),
    memory: sum(({ memory: { current } }) => current),
    host: sum(({ memory: { host } }) => host),
  };
}
