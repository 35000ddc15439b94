import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { cacheFolder, isPrivate, readPrivate, writePrivate } from "../../src/cli/cache-folder.ts";
import { as, isRoot, mainFor, NOBODY } from "../qemu/host.ts";

const SELF = process.geteuid?.() ?? -1;
const OTHER = SELF + 1;

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "qmpctl-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("what somebody else could have written", () => {
  test.each([
    ["ours, for us to write", SELF, 0o700, true],
    ["ours, for others to read", SELF, 0o755, true],
    ["ours, for our group to write", SELF, 0o770, false],
    ["ours, for everybody to write", SELF, 0o702, false],
    ["somebody else's, for him alone to write", OTHER, 0o700, false],
    ["somebody else's, for everybody to write", OTHER, 0o777, false],
  ])("%s", (_what, uid, mode, wanted) => {
    expect(isPrivate({ uid, mode: 0o40000 | mode }, SELF)).toBe(wanted);
  });
});

describe("H2: the folder for compiled code", () => {
  test("is made where missing, for us alone", () => {
    const folder = join(ownFolder(), "a", "qmpctl");
    expect(cacheFolder(folder, SELF)).toBe(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test.each([
    ["that everybody can write", (folder: string) => chmodSync(folder, 0o777)],
    ["that our group can write", (folder: string) => chmodSync(folder, 0o770)],
    ["in a folder where everybody can put another in its place", (folder: string) => chmodSync(join(folder, ".."), 0o777)],
  ])("%s is not used", (_what, spoil) => {
    const folder = join(ownFolder(), "qmpctl");
    expect(cacheFolder(folder, SELF)).toBe(folder);
    spoil(folder);
    expect(cacheFolder(folder, SELF)).toBeUndefined();
  });

  test("of somebody else is not used, though only he can write it; nor is a link, or a file", () => {
    const [folder, link, file] = [ownFolder(), join(ownFolder(), "link"), join(ownFolder(), "file")];
    expect(cacheFolder(folder, OTHER)).toBeUndefined();
    symlinkSync(folder, link);
    writeFileSync(file, "");
    expect([link, file, join(file, "in")].map((each) => cacheFolder(each, SELF))).toEqual([undefined, undefined, undefined]);
  });

  test("gives back what was written, and nothing that others could write, or that is somebody else's", () => {
    const path = join(ownFolder(), "program.cache");
    writePrivate(path, new TextEncoder().encode("code"), 1);
    expect([readPrivate(path, SELF)?.toString(), statSync(path).mode & 0o777]).toEqual(["code", 0o600]);
    expect(readPrivate(path, OTHER)).toBeUndefined();
    chmodSync(path, 0o666);
    expect(readPrivate(path, SELF)).toBeUndefined();
    expect(readPrivate(join(path, "..", "none"), SELF)).toBeUndefined();
  });

  test("gives back nothing that a link leads to, and nothing that is no file", () => {
    const folder = ownFolder();
    const [path, link] = [join(folder, "program.cache"), join(folder, "link.cache")];
    writePrivate(path, new TextEncoder().encode("code"), 1);
    symlinkSync(path, link);
    expect([link, folder].map((each) => readPrivate(each, SELF))).toEqual([undefined, undefined]);
  });
});

describe("the program itself", () => {
  // Root has a folder that can't be chosen.
  const user = isRoot ? NOBODY : SELF;
  const run = (cache: string, ...line: readonly string[]): string => {
    const [program = "", ...words] = [...(isRoot ? as(user) : []), process.execPath, mainFor(isRoot ? user : undefined), ...line];
    return execFileSync(program, words, { cwd: "/", env: { PATH: process.env["PATH"], XDG_CACHE_HOME: cache }, encoding: "utf8" });
  };

  test("keeps its code in a folder of its own, and puts nothing into one that everybody can write", () => {
    for (const [mode, isUsed] of [
      [0o700, true],
      [0o777, false],
    ] as const) {
      const cache = ownFolder();
      const folder = join(cache, "qmpctl");
      mkdirSync(folder);
      chmodSync(folder, mode);
      if (isRoot) for (const path of [cache, folder]) chownSync(path, user, user);
      expect(run(cache, "--version")).toBe(
        `qmpctl ${(JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string }).version}\n`,
      );
      expect(readdirSync(folder).length > 0, mode.toString(8)).toBe(isUsed);
    }
  });

  test("keeps it under a name that no other build has: V8 takes kept code for any text of the same length", () => {
    const cache = ownFolder();
    if (isRoot) chownSync(cache, user, user);
    run(cache, "--version");
    const digest = createHash("sha256");
    for (const layer of ["program", "failure", "completion", "machine", "change", "resources", "remote", "more"])
      digest.update(readFileSync(new URL(`../../dist/cli/${layer}.js`, import.meta.url)));
    expect(readdirSync(join(cache, "qmpctl"))).toEqual([`program-${digest.digest("hex").slice(0, 12)}-${process.version}.cache`]);
  });

  test("keeps what another verb uses besides, and writes nothing where a command line uses no more", () => {
    const cache = ownFolder();
    if (isRoot) chownSync(cache, user, user);
    const kept = (): readonly [size: number, words: string, written: number] => {
      const [name = ""] = readdirSync(join(cache, "qmpctl")).filter((each) => each.startsWith("program-"));
      const file = join(cache, "qmpctl", name);
      const text = readFileSync(file, "latin1");
      return [text.length, text.slice(text.lastIndexOf("\n") + 1), statSync(file).ino];
    };
    run(cache, "--version");
    const first = kept();
    expect(first[1]).toBe("--version");
    run(cache, "setmem", "--help");
    const both = kept();
    expect(both[1]).toBe("--version setmem --help");
    expect(both[0]).toBeGreaterThan(first[0]);
    // Neither is compiled again, so neither has anything to add.
    for (const line of [["--version"], ["setmem", "--help"]]) run(cache, ...line);
    expect(kept()).toEqual(both);
  });
});
