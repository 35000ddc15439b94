import type { Source } from "./merge.ts";

/** Which of the sources have something, in words: `since 7.2`, `until 7.2, x86_64 only`. Empty if all that could have it do. */
export function presence(sources: readonly Source[], having: ReadonlySet<number>, among: ReadonlySet<number> = everyOne(sources)): string {
  const of = (indexes: Iterable<number>, key: "version" | "arch"): readonly string[] => [
    ...new Set([...indexes].toSorted((a, b) => a - b).map((index) => sources[index]?.[key] ?? "")),
  ];
  const [versions, all] = [of(having, "version"), of(among, "version")];
  // A version in which an architecture was not recorded says nothing about that architecture.
  const recorded = [...among].filter((index) => versions.includes(sources[index]?.version ?? ""));
  const [archs, allArchs] = [of(having, "arch"), of(recorded, "arch")];
  const words = [spanOf(versions, all)];
  if (archs.length < allArchs.length) {
    const missing = allArchs.filter((arch) => !archs.includes(arch));
    words.push(archs.length <= missing.length ? `${archs.join(", ")} only` : `not ${missing.join(", ")}`);
  }
  return words.filter(Boolean).join("; ");
}

function spanOf(versions: readonly string[], all: readonly string[]): string {
  if (versions.length === all.length) return "";
  const first = all.indexOf(versions[0] ?? "");
  if (all.slice(first).join() === versions.join()) return `since ${versions[0]}`;
  if (all.slice(0, versions.length).join() === versions.join()) return `until ${versions.at(-1)}`;
  return `in ${versions.join(", ")}`;
}

function everyOne(sources: readonly Source[]): ReadonlySet<number> {
  return new Set(sources.keys());
}

/** Something with features, and the source that has it. */
export interface Marked {
  readonly source: number;
  readonly features?: readonly string[] | undefined;
}

/**
 * The text of a docstring for a command, an event, a member or a value: which sources have it, whether it will be removed (`@deprecated`),
 * whether it may change (`@experimental`), and QEMU's other features.
 */
export function notes(sources: readonly Source[], marked: readonly Marked[], among?: ReadonlySet<number>): string {
  const having = new Set(marked.map(({ source }) => source));
  const features = [...new Set(marked.flatMap((it) => it.features ?? []))];
  const withFeature = (feature: string): ReadonlySet<number> =>
    new Set(marked.filter((it) => it.features?.includes(feature)).map(({ source }) => source));
  const where = presence(sources, having, among);
  const others = features.filter((feature) => feature !== "deprecated" && feature !== "unstable");
  const tags = [
    ...(features.includes("deprecated") ? [`@deprecated ${presence(sources, withFeature("deprecated"), having)}`.trim()] : []),
    ...(features.includes("unstable") ? [`@experimental ${presence(sources, withFeature("unstable"), having)}`.trim()] : []),
  ];
  return [where, others.length > 0 ? `features: ${others.join(", ")}` : "", ...tags]
    .filter(Boolean)
    .join(". ")
    .replace(/^[a-z]/, (letter) => letter.toUpperCase());
}
