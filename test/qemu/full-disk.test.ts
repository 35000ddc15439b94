import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Host, isRoot, openHost } from "./host.ts";

/** Runs a command where a folder, with all that is in it, is on a disk of its own that is full. It takes root to mount one. */
function withFull(folder: string): readonly string[] {
  const script =
    'cp -a "$0" "$0.copy" && mount -t tmpfs -o size=64k,mode=700 none "$0" && cp -a "$0.copy/." "$0/" && rm -r "$0.copy" && { cat /dev/zero > "$0/fill"; exec "$@"; }';
  return ["unshare", "--mount", "sh", "-c", script, folder];
}

async function books(host: Host): Promise<string> {
  return (await readdir(host.state)).find((name) => name.startsWith("@")) ?? "";
}

test.runIf(isRoot)("F10: a disk that is full is called so, whatever can't be written there, and nothing is left half done", async () => {
  await using host = await openHost();
  await host.define("web");
  const before = await host.text("web");
  for (const [folder, words] of [
    [host.run, ["start", "web"]],
    [host.state, ["start", "web"]],
    [host.config, ["setvcpus", "web", "2", "--static"]],
  ] as const) {
    const { code, stdout, stderr } = await host.cli(words, { under: withFull(folder) });
    expect([code, stderr], `${folder}: ${stdout}`).toEqual([1, expect.stringMatching(/no space left on device/)]);
    expect(stderr).toContain(folder);
    expect([host.pids(), await host.text("web")]).toEqual([[], before]);
  }
  // The history is no part of a change: that is made, and its report says what is not told. A page of its file has no room, or some.
  const history = join(host.state, await books(host), "history");
  for (const [size, count] of [
    [4096, "2"],
    [4096 - 40, "1"],
  ] as const) {
    await writeFile(history, `${" ".repeat(size - 1)}\n`, { mode: 0o600 });
    const { code, stdout } = await host.cli(["setvcpus", "web", count, "--static"], { under: withFull(host.state) });
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^note: the history does not tell this: .*no space left on device/m) as string,
    ]);
  }
  await writeFile(history, "", { mode: 0o600 });
  // With room again nothing stands in the way.
  await host.ok("start", "web");
  expect((await host.info("web")).state).toBe("running");
  expect(await readFile(host.path("run", "web", "output"), "utf8")).not.toContain("probe");
});
