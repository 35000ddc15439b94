/** A command line without QEMU's own options, and these with their values. `open`: one that has no value. */
export interface QemuWords {
  readonly own: readonly string[];
  readonly qemu: readonly string[] | undefined;
  readonly open?: string;
}

/** Takes QEMU's own options of these names out of a command line, up to a `--`: `-device x`, or `--device x`. */
export function qemuWords(argv: readonly string[], names: readonly string[]): QemuWords {
  const own: string[] = [];
  const qemu: string[] = [];
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const name = at < end ? names.find((each) => word === `-${each}` || word === `--${each}`) : undefined;
    const value = at + 1 < end ? argv[at + 1] : undefined;
    if (name === undefined) own.push(word);
    else if (value === undefined) return { own, qemu: undefined, open: name };
    else {
      qemu.push(`-${name}`, value);
      at++;
    }
  }
  return { own, qemu: qemu.length === 0 ? undefined : qemu };
}
