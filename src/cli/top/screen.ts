import { control } from "../harmless.ts";
import { type Capabilities, type Line, lineWidth, painted } from "./drawing.ts";

/** What a terminal shows, line by line: only the lines that have changed are sent. */
export class Screen {
  #shown: readonly string[] = [];
  #size = "";

  /** What makes the terminal show these lines. */
  update(lines: readonly Line[], { columns, rows, colors }: Capabilities): string {
    const size = `${columns} ${rows}`;
    const anew = size !== this.#size;
    this.#size = size;
    const wanted = lines.map((line) => painted(line, colors));
    const changed = wanted.flatMap((text, at) => {
      if (!anew && text === this.#shown[at]) return [];
      // A full line leaves the cursor on its last character, which would be erased.
      const rest = lineWidth(lines[at] ?? []) < columns ? control("\u001b[K") : "";
      return [control(`\u001b[${at + 1};1H`) + text + rest];
    });
    this.#shown = wanted;
    return (anew ? control("\u001b[2J") : "") + changed.join("");
  }

  /** Everything is sent again next time. */
  forget(): void {
    this.#size = "";
  }
}
