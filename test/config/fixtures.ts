import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../fixtures/config/", import.meta.url);

/** The names of all fixtures of a folder that have this ending. */
export function fixturesIn(folder: string, ending: string): readonly string[] {
  return readdirSync(new URL(`${folder}/`, ROOT))
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));
}

/** A fixture's text. */
export function fixture(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

/** The least config there can be, with changes. */
export function configText(changes: Readonly<Record<string, unknown>> = {}): string {
  const config = {
    name: "web1",
    emulator: "qemu-system-x86_64",
    memory: { max: "1GiB", current: "512MiB" },
    vcpus: { max: 2, current: 1 },
    args: [],
  };
  return `${JSON.stringify({ ...config, ...changes }, null, 2)}\n`;
}
