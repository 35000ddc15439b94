/** A command in a page, and its output on both streams. */
export interface Shown {
  readonly command: string;
  readonly said: string;
  /** The heading that it stands under. */
  readonly heading: string;
}

/** Every command of a page's `console` blocks, from top to bottom, block by block. */
export function blocksOf(page: string): readonly (readonly Shown[])[] {
  const blocks: (readonly Shown[])[] = [];
  let heading = "";
  for (const [, fence, text = "", title] of page.matchAll(/^```(\w*)\n(.*?)^```$|^#+ ([^\n]*)$/gms)) {
    if (title !== undefined) heading = title;
    else if (fence === "console") blocks.push(shownIn(text, heading));
  }
  return blocks;
}

/** The session of some blocks. A block that repeats a part of a longer one does not count. */
export function sessionOf(blocks: readonly (readonly Shown[])[]): readonly Shown[] {
  const isIn = (shown: Shown, block: readonly Shown[]): boolean =>
    shown.said !== "" && block.some(({ command, said }) => command === shown.command && said === shown.said);
  return blocks
    .filter((block) => !blocks.some((other) => other.length > block.length && block.every((shown) => isIn(shown, other))))
    .flat();
}

function shownIn(block: string, heading: string): readonly Shown[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = "", ...said] = text.trimEnd().split("\n");
      return { command, said: said.join("\n").trimEnd(), heading };
    });
}

/** A page with what was really said in place of what it shows. */
export function withOutputs(page: string, shown: readonly Shown[], told: readonly Shown[]): string {
  let text = page;
  for (const [position, { command, said }] of told.entries()) {
    const before = shown[position]?.said ?? "";
    const block = (output: string): string => `$ ${command}\n${output === "" ? "" : `${output}\n`}`;
    // What is shown already may be quoted in several places. What is not yet is one place after the other.
    text = before === "" ? text.replace(block(before), () => block(said)) : text.replaceAll(block(before), () => block(said));
  }
  return text;
}
