/** A name in two parts around its last number. */
interface Numbered {
  readonly before: string;
  readonly number: string;
  readonly after: string;
}

function numbered(name: string): Numbered | undefined {
  // The user and the port of a host stay as they are, and an IPv6 address has no ranges.
  const found = /^(?<before>(?:[^@]*@)?[^@:[\]]*?)(?<number>\d{1,9})(?<after>[^\d@:[\]]*(?::\d+)?)$/s.exec(name);
  return found?.groups as unknown as Numbered | undefined;
}

/** Runs of numbers that follow each other: `01-03`, `07`. */
function runsOf(numbers: readonly string[]): readonly string[] {
  const runs: [first: string, last: string][] = [];
  for (const each of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && Number(each) === Number(run[1]) + 1 && isNext(run[1], each)) run[1] = each;
    else runs.push([each, each]);
  }
  return runs.flatMap(([first, last]) =>
    first === last ? [first] : Number(last) === Number(first) + 1 ? [first, last] : [`${first}-${last}`],
  );
}

/** Whether a range that has one has the other too: as wide with its zeros, or without any. */
function isNext(one: string, other: string): boolean {
  return one.length === other.length || (!one.startsWith("0") && !other.startsWith("0"));
}

/**
 * Names in short, as a list of hosts is written: `kvm[01-18,20],edge1`. The order of the first of each kind is kept.
 */
export function foldNames(names: readonly string[]): string {
  const kinds = new Map<string, { readonly at: Numbered | undefined; readonly all: string[] }>();
  for (const name of new Set(names)) {
    const at = numbered(name);
    const kind = at === undefined ? `=${name}` : `${at.before}\0${at.after}`;
    const known = kinds.get(kind);
    if (known === undefined) kinds.set(kind, { at, all: [at?.number ?? name] });
    else known.all.push(at?.number ?? name);
  }
  return [...kinds.values()]
    .map(({ at, all }) => {
      if (at === undefined) return all[0] ?? "";
      const sorted = all.toSorted((one, other) => Number(one) - Number(other) || one.length - other.length);
      const runs = runsOf(sorted);
      const [only = ""] = sorted;
      return sorted.length === 1 ? `${at.before}${only}${at.after}` : `${at.before}[${runs.join(",")}]${at.after}`;
    })
    .join(",");
}
