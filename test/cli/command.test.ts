import { describe, expect, test } from "vitest";
import { verbs } from "../../src/cli/command.ts";
import { play } from "./scene.ts";

const general = "usage: qmpctl VERB DOMAIN [OPERAND...] [--OPTION...]\nqmpctl help lists the verbs\n";

describe("a wrong line says what was meant, on stderr, and ends with 2", () => {
  test.each([
    [["--force"], `qmpctl: --force: a verb is missing; expected VERB\n${general}`],
    [["--timeout", "setmem", "web1", "1G"], `qmpctl: --timeout: a value is missing; expected --timeout TIME\n${general}`],
    [["--", "list"], `qmpctl: --: write the verb before it\n${general}`],
    [["setmen"], `qmpctl: setmen: there is no such verb, did you mean setmem?\n${general}`],
    [["frobnicate"], `qmpctl: frobnicate: there is no such verb\n${general}`],
    [["constructor"], `qmpctl: constructor: there is no such verb\n${general}`],
    [
      ["--lvie", "setmem", "web1", "300M"],
      "qmpctl: --lvie: there is no such option, did you mean --live?\nusage: qmpctl setmem DOMAIN SIZE [OPTION...]\nqmpctl setmem --help says more\n",
    ],
    [
      ["--static", "list"],
      "qmpctl: --static: there is no such option; expected an option of this verb\nusage: qmpctl list [OPTION...]\n   or: qmpctl list --running [OPTION...]\nqmpctl list --help says more\n",
    ],
    [["setmem", "web1"], "qmpctl: SIZE: missing\nusage: qmpctl setmem DOMAIN SIZE [OPTION...]\nqmpctl setmem --help says more\n"],
    [
      ["setmem", "web1", "300M", "--lvie"],
      "qmpctl: --lvie: there is no such option, did you mean --live?\nusage: qmpctl setmem DOMAIN SIZE [OPTION...]\nqmpctl setmem --help says more\n",
    ],
    [["dominfo"], "qmpctl: DOMAIN: missing\nusage: qmpctl info DOMAIN [OPTION...]\nqmpctl info --help says more\n"],
  ])("%j", async (argv, stderr) => {
    expect(await play(argv)).toEqual({ code: 2, stdout: "", stderr, opened: [], disposed: 0 });
  });

  test("with --json the error is on stdout too", async () => {
    const { code, stdout } = await play(["setmem", "web1", "300", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: { code: "usage", message: expect.stringContaining("300KiB") as string, value: "300", expected: expect.any(String) as string },
    });
  });

  test("--json that belongs to a QEMU command line does not count", async () => {
    expect((await play(["define", "f.json", "--", "--json"])).stdout).toBe("");
  });
});

describe("help", () => {
  test("without a word: what somebody new does first, in few lines that fit a terminal", async () => {
    for (const columns of [40, 80, 200]) {
      const { code, stdout, stderr } = await play([], { columns, env: { NO_COLOR: "1" } });
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("qmpctl start web1");
      const lines = stdout.split("\n");
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.max(columns, 48));
      if (columns >= 80) expect(lines.length).toBeLessThan(15);
    }
  });

  test.each(["--version", "-V", "-v", "version"])("%s", async (word) =>
    expect(await play([word])).toMatchObject({ code: 0, stdout: "qmpctl 1.2.3\n" }),
  );

  test.each([["help"], ["--help"], ["-h"]])("%s lists every verb and the exit codes", async (word) => {
    const { code, stdout, stderr } = await play([word]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const name of Object.keys(verbs)) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    expect(stdout).toContain("  130  interrupted");
  });

  test.each(Object.keys(verbs))("%s --help and help %s are the same, and fit a terminal", async (name) => {
    const { code, stdout, stderr, opened } = await play([name, "--help"]);
    expect([code, stderr, opened]).toEqual([0, "", []]);
    expect(stdout).toMatch(new RegExp(`^usage: qmpctl ${name}`));
    expect(stdout).toContain("--json");
    expect((await play(["help", name])).stdout).toBe(stdout);
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  test("the list of verbs has a line for each on a terminal of 80 columns", async () => {
    const { stdout } = await play(["help"], { columns: 80, env: { NO_COLOR: "1" } });
    const rows = stdout
      .slice(0, stdout.indexOf("\nDOMAIN is"))
      .split("\n")
      .filter((line) => line.startsWith("  "));
    expect(rows.map((row) => row.slice(2).split(" ")[0])).toEqual([...Object.keys(verbs), "help", "--version"]);
  });

  test("an alias shows the verb it stands for", async () =>
    expect((await play(["help", "dominfo"])).stdout).toMatch(/^usage: qmpctl info/));

  test("of a verb that there is not", async () =>
    expect(await play(["help", "lits"])).toMatchObject({ code: 2, stderr: expect.stringContaining("did you mean list?") as string }));
});
