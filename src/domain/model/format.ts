/** `what: why`, or only what. */
export function formatReason(what: string, why: string | undefined): string {
  return why === undefined ? what : `${what}: ${why}`;
}

/** `1 vCPU`, `2 vCPUs`. */
export function formatVcpus(count: number): string {
  return `${count} vCPU${count === 1 ? "" : "s"}`;
}

/** `vCPU 2`, `vCPUs 1 and 3`, `vCPUs 1 to 3`: runs of three or more by their ends. */
export function listVcpus(vcpus: readonly number[]): string {
  const sorted = [...new Set(vcpus)].sort((one, other) => one - other);
  const runs: number[][] = [];
  for (const vcpu of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1) === vcpu - 1) run.push(vcpu);
    else runs.push([vcpu]);
  }
  const parts = runs.flatMap((run) => (run.length < 3 ? run.map(String) : [`${run[0]} to ${run.at(-1)}`]));
  const [last, ...others] = parts.toReversed();
  return `vCPU${sorted.length === 1 ? "" : "s"} ${others.length === 0 ? last : `${others.toReversed().join(", ")} and ${last}`}`;
}

/**
 * Folds texts that differ only in the vCPU that they name into one text that names all of those vCPUs. Equal texts become one text with
 * their number.
 */
export function foldVcpus(texts: readonly string[]): readonly string[] {
  const groups = new Map<string, string[]>();
  const keyOf = (text: string): string => text.replace(VCPU, "vCPU #");
  for (const text of texts) groups.set(keyOf(text), [...(groups.get(keyOf(text)) ?? []), text]);
  return [...groups].map(([key, [first = "", ...more]]) => {
    if (more.length === 0) return first;
    if (!key.includes("vCPU #")) return `${first} (${more.length + 1} times)`;
    const all = listVcpus([first, ...more].map((text) => Number(VCPU.exec(text)?.[1])));
    // A sentence about one vCPU stays a sentence about each of them.
    return /^vCPU \d+ [a-z]/.test(first) ? first.replace(VCPU, `${all}: each`) : first.replace(VCPU, all);
  });
}

const VCPU = /\bvCPU (\d+)\b(?!,)/;

/** A word that a shell reads back as it is: unchanged if it is plain, else quoted. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // Control characters are never shown as they are; bash, zsh and ksh all read $'…'.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(word))
    return `$'${word.replace(/[\\']/g, "\\$&").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, bytes)}'`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function bytes(char: string): string {
  return [...new TextEncoder().encode(char)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** A command line of this program that can be pasted into a shell, whatever its words contain. */
export function commandLine(...words: readonly string[]): string {
  return ["qmpctl", ...words].map(shellWord).join(" ");
}
