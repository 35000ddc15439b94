import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readBoundedText } from "../../config/safe-file.ts";

/** A text in a private file, to be edited. It is removed, unless it is kept for its user. */
export class EditedCopy implements Disposable {
  readonly path: string;
  readonly #folder: string;
  #isKept = false;

  /** `name`: whose text it is; the file is called so, which editors know a JSON file by. */
  constructor(name: string, text: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "qmpctl-edit-"));
    this.path = join(
      this.#folder,
      `${
        basename(name)
          .replace(/\.json$/, "")
          .replaceAll(/[^\w.-]/g, "_") || "config"
      }.json`,
    );
    writeFileSync(this.path, text, { mode: 0o600, flag: "wx" });
  }

  /** What is in it now. @throws ConfigError where the editor has left no file, or no text */
  read(): Promise<string> {
    return readBoundedText(this.path);
  }

  /** Leaves the file where it is. */
  keep(): void {
    this.#isKept = true;
  }

  [Symbol.dispose](): void {
    if (!this.#isKept) rmSync(this.#folder, { recursive: true, force: true });
  }
}
