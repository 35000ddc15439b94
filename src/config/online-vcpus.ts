/** A config's vCPUs, as far as it says which there are. */
interface Vcpus {
  readonly current: number;
  readonly online?: string | undefined;
}

/** The vCPUs that a config starts a machine with: those that `vcpus.online` lists, else as many as `vcpus.current`, from vCPU 0 on. */
export function onlineVcpus({ current, online }: Vcpus): ReadonlySet<number> {
  return online === undefined ? firstVcpus(current) : numbersIn(online);
}

/** The set of so many vCPUs, from vCPU 0 on. */
export function firstVcpus(count: number): ReadonlySet<number> {
  return new Set(Array.from({ length: count }, (_, vcpu) => vcpu));
}

/** Whether a set leaves out a vCPU that is below another one of it. */
export function hasHoles(set: ReadonlySet<number>): boolean {
  return [...set].some((vcpu) => vcpu >= set.size);
}

/**
 * How many vCPUs `-smp` starts, which are those from vCPU 0 on: the others of `vcpus.online` are plugged when the machine is set up. Whole
 * cores of `threads` vCPUs, where QEMU starts with no others.
 */
export function firstInRow(set: ReadonlySet<number>, threads: number = 1): number {
  let count = 0;
  while (set.has(count)) count++;
  return count - (count % threads);
}

/** The numbers in a list of vCPUs that is known to be one (`0,3-5`). */
function numbersIn(list: string): ReadonlySet<number> {
  const numbers = list.split(",").flatMap((item) => {
    const [first = 0, last = first] = item.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
  return new Set(numbers);
}

/** A list of vCPUs as a config has it: numbers and ranges, without exclusions. Its numbers; undefined for anything else. */
export function readVcpuList(text: string): ReadonlySet<number> | undefined {
  const items = text.split(",").map((item) => /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(item));
  const isList = items.every((item) => item !== null && Number(item[1]) <= Number(item[2] ?? item[1]));
  return isList ? numbersIn(text) : undefined;
}
