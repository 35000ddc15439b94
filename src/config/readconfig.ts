/** Sections of a `-readconfig` file that say what a launch config says, and where the config says it. */
const OWNED: ReadonlyMap<string, string> = new Map([
  ["memory", 'the key "memory", as -m'],
  ["smp-opts", 'the key "vcpus", as -smp'],
  ["name", 'the key "name", as -name'],
]);

/**
 * The sections of a `-readconfig` file that say what a launch config says too, each with the key to use instead. QEMU would use only one of
 * the two.
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
