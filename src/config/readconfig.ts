/** Sections of a `-readconfig` file that say what a launch config says, and where it says it. */
const OWNED: ReadonlyMap<string, string> = new Map([
  ["memory", 'the key "memory", as -m'],
  ["smp-opts", 'the key "vcpus", as -smp'],
  ["name", 'the key "name", as -name'],
]);

/**
 * What is wrong with a `-readconfig` file for a launch config: each section that says what the config says. One of both would be read, and
 * not the other.
 */
export function sectionsInTheWay(text: string): readonly string[] {
  const wrong: string[] = [];
  let section = "";
  for (const line of text.split("\n")) {
    const head = /^\s*\[\s*([\w-]+)(?:\s+"[^"]*")?\s*\]\s*$/.exec(line)?.[1];
    section = head ?? section;
    const key = /^\s*([\w.-]+)\s*=/.exec(line)?.[1] ?? "";
    const instead = head !== undefined ? OWNED.get(head) : section === "machine" ? propertyOf(key) : undefined;
    const what = head === undefined ? `"${key}" in its section [machine]` : `its section [${section}]`;
    if (instead !== undefined) wrong.push(`${what} is ${instead}`);
  }
  return wrong;
}

function propertyOf(key: string): string | undefined {
  return key.startsWith("smp.") ? OWNED.get("smp-opts") : key.startsWith("memory.") ? OWNED.get("memory") : undefined;
}
