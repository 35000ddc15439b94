/** What the model knows of vCPUs by their numbers. It shares no code with the product. */

/** A change of chosen vCPUs, as the product's changes have it. */
export interface Chosen {
  readonly vcpus: string;
  readonly online: string;
}

/** The numbers in `1,3-4`. */
export function numbersIn(list: string): readonly number[] {
  return list.split(",").flatMap((item) => {
    const [first, last] = item.split("-").map(Number);
    const numbers: number[] = [];
    for (let number = first ?? 0; number <= (last ?? first ?? 0); number++) numbers.push(number);
    return numbers;
  });
}

/** What a change says of vCPUs if it is about all that there are. */
const ALL = "all";

/** Numbers as a list: `1,3-4`. */
function listed(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((one, other) => one - other);
  const starts = sorted.filter((number) => !sorted.includes(number - 1));
  const ends = sorted.filter((number) => !sorted.includes(number + 1));
  return starts.map((start, position) => (start === ends[position] ? String(start) : `${start}-${ends[position]}`)).join(",");
}

/** The vCPUs after a change of chosen ones. */
export function afterChosen(before: readonly number[], { vcpus, online }: Chosen): readonly number[] {
  if (vcpus === ALL) return numbersIn(online);
  const about = numbersIn(vcpus);
  const on = online === "none" ? [] : numbersIn(online);
  return [...before.filter((vcpu) => !about.includes(vcpu)), ...on].sort((one, other) => one - other);
}

/** The vCPUs when there are to be so many: the lowest free ones come, the highest go. */
export function afterCount(before: readonly number[], count: number): readonly number[] {
  const after = before.slice(0, count);
  for (let vcpu = 0; after.length < count; vcpu++) if (!after.includes(vcpu)) after.push(vcpu);
  return after.sort((one, other) => one - other);
}

/** How a report shows the chosen vCPUs of a machine that has these. */
export function shownChosen(have: readonly number[], { vcpus }: Pick<Chosen, "vcpus">): string {
  if (vcpus === ALL) return listed(have);
  const about = numbersIn(vcpus);
  const on = about.filter((vcpu) => have.includes(vcpu));
  return on.length === about.length ? "on" : on.length === 0 ? "off" : on.join(",");
}

/** What a change of chosen vCPUs wants, in the words of reports. */
export function wantedChosen({ vcpus, online }: Chosen): string {
  if (vcpus === ALL) return online;
  return online === "none" ? "off" : "on";
}

/** Whether a change of chosen vCPUs is one that a machine with this much room can make: vCPU 0 stays. */
export function mayChoose({ vcpus, online }: Chosen, room: number): boolean {
  const about = numbersIn(vcpus === ALL ? online : vcpus);
  if (vcpus === ALL) return about.every((vcpu) => vcpu < room) && about.includes(0);
  return about.every((vcpu) => vcpu < room) && !(online === "none" && about.includes(0));
}

/** The vCPUs that a guest does not use when it is to use so many: the lowest come, the highest go; null if it has not that many. */
export function afterGuest(vcpus: readonly number[], offline: readonly number[], count: number): readonly number[] | null {
  if (count > vcpus.length) return null;
  const used = vcpus.filter((vcpu) => !offline.includes(vcpu));
  const gone = used.slice(count);
  const back = offline.slice(0, Math.max(0, count - used.length));
  return [...offline.filter((vcpu) => !back.includes(vcpu)), ...gone].sort((one, other) => one - other);
}
