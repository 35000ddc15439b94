import { spawnSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { program } from "../program.ts";
import { play } from "../scene.ts";

test("bash completes verbs, options and domains with the program's own words", async () => {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-"));
  try {
    await symlink(program, join(folder, "qmpctl"));
    await writeFile(join(folder, "web1.json"), "{}");
    await writeFile(join(folder, "web2.json"), "{}");
    const { stdout } = await play(["completion", "bash"]);
    const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, QMPCTL_CONFIG_DIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" };
    const completed = (...words: string[]): string[] => {
      const script = `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _qmpctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync("bash", ["-c", script, "bash", ...words], { env, encoding: "utf8" }).stdout.trim().split("\n");
    };
    expect(completed("qmpctl", "setm").toSorted()).toEqual(["setmaxmem", "setmem"]);
    expect(completed("qmpctl", "--v")).toEqual(["--version"]);
    expect(completed("qmpctl", "info", "we")).toEqual(["web1", "web2"]);
    expect(completed("qmpctl", "setmem", "web1", "--dr")).toEqual(["--dry-run"]);
    expect(completed("qmpctl", "help", "vcpui")).toEqual(["vcpuinfo"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("another shell is a usage mistake", async () => expect(await play(["completion", "fish"])).toMatchObject({ code: 2, stderr: expect.stringContaining("bash only") as string }));
