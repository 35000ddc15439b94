/** The oldest Node that this is tested on, `[major, minor]`; package.json says the same. */
const OLDEST = [20, 19] as const;

/** Why a Node of this version (as `v18.20.4`) can't be used; undefined if it can. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `qmpctl: Node ${version} is too old: it needs ${OLDEST.join(".")} or newer`;
}
