import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { verbs } from "../../src/cli/command.ts";
import { verbHelp } from "../../src/cli/help.ts";
import { mainPage, verbPage } from "../../src/cli/manual/pages.ts";
import { bold, paragraph, verbatim } from "../../src/cli/manual/roff.ts";
import { defineVerb } from "../../src/cli/verb.ts";
import { program } from "./program.ts";

const loaded = await Promise.all(Object.entries(verbs).map(async ([name, load]) => [name, (await load()).verb] as const));
const groff = existsSync("/usr/bin/groff") ? "/usr/bin/groff" : undefined;

/** A page as a reader sees it, on lines so long that nothing is broken; throws at what troff warns of. */
function read(page: string): string {
  const { stdout, stderr } = spawnSync(groff as string, ["-ww", "-man", "-Tutf8", "-rLL=2000n", "-P-cbou"], {
    input: page,
    encoding: "utf8",
  });
  if (stderr !== "") throw new Error(stderr);
  return stdout;
}

describe("roff", () => {
  test("leaves no text a request or an escape", () => {
    expect(paragraph(".so /etc/passwd\nand \\n(.l")).toBe(".PP\n\\&.so /etc/passwd and \\en(.l\n");
    expect(bold("--on-failure 'x' `y` ~ ^ \\")).toBe("\\fB\\-\\-on\\-failure \\(aqx\\(aq \\(gay\\(ga \\(ti \\(ha \\e\\fR");
    expect(verbatim([".nf"])).toContain("\n\\&.nf\n");
  });

  test("writes what is no ASCII by its number", () => {
    expect(paragraph("a … b 𝄞")).toBe(".PP\na \\[u2026] b \\[u1D11E]\n");
  });
});

describe.skipIf(groff === undefined)("as troff sets it", () => {
  test.each(loaded)("the page of %s says what its help says", async (name, verb) => {
    const page = read(await verbPage([name, verb], "1.2.3"));
    expect(page).toContain(`qmpctl-${name} - ${verb.summary}`);
    expect(page).toContain("qmpctl 1.2.3");
    for (const text of verb.details ?? []) expect(page).toContain(text);
    for (const usage of verb.usage) expect(page).toContain(`qmpctl ${usage.split(" -- ")[0]}`);
    const help = await verbHelp(name, verb, 100);
    for (const [, option] of help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm))
      expect(page).toMatch(new RegExp(`^ +(-\\w, )?${option}\\b`, "m"));
    for (const [command] of verb.examples ?? []) expect(page).toContain(`qmpctl ${command}`);
  });

  test("the page of the program leads to each verb", () => {
    const page = read(mainPage(loaded, "1.2.3"));
    for (const [name, { summary }] of loaded)
      expect(page).toMatch(new RegExp(`qmpctl-${name}\\(1\\)\\s+${summary.slice(0, 20).replace(/[()[\]|]/g, ".")}`));
    expect(page).toMatch(/EXIT STATUS[^]*130[^]*ENVIRONMENT[^]*QMPCTL_STATE_DIR[^]*FILES/);
  });

  test("a text that looks like a request is text", async () => {
    const verb = defineVerb({
      usage: [".x DOMAIN"],
      summary: "'so it is",
      details: [".de x\\fB", "an example\\"],
      examples: [["x '.y' \\\\", ".z"]],
      options: { a: { about: ".b \\(ha" } },
      operands: { names: ["DOMAIN"], required: 1 },
      run: async () => 0,
    });
    const page = read(await verbPage(["x", verb], "1"));
    for (const text of ["'so it is", ".de x\\fB", "an example\\", "qmpctl x '.y' \\\\", ".z", ".b \\(ha"]) expect(page).toContain(text);
  });
});

describe("qmpctl man", () => {
  const man = existsSync("/usr/bin/man");

  test("prints the folder of the pages", () => {
    const folder = execFileSync(process.execPath, [program, "man", "--path"], { encoding: "utf8" }).trim();
    expect(existsSync(join(folder, "man1/qmpctl-setmem.1"))).toBe(true);
  });

  test.skipIf(!man)("has man show the page", () => {
    const { stdout, status } = spawnSync(process.execPath, [program, "man", "setmem"], { encoding: "utf8" });
    expect(stdout).toContain("qmpctl-setmem - change how much memory the guest has");
    expect(status).toBe(0);
  });

  test.skipIf(!man)("knows other programs' words for verbs", () => {
    const { stdout } = spawnSync(process.execPath, [program, "man", "dominfo"], { encoding: "utf8" });
    expect(stdout).toContain("qmpctl-info - show the machine's state");
  });

  test("guesses which verb is meant", () => {
    const { stderr } = spawnSync(process.execPath, [program, "man", "setmen"], { encoding: "utf8" });
    expect(stderr).toContain("qmpctl: setmen: there is no such verb, did you mean setmem?\n");
  });

  test("says what to do where there is no man", () => {
    const { stderr, status } = spawnSync(process.execPath, [program, "man", "setmem"], { encoding: "utf8", env: { PATH: "/nonexistent" } });
    expect(stderr).toBe("qmpctl: man: there is no such program; qmpctl help setmem says the same\n");
    expect(status).toBe(1);
  });

  test.each(["nosuch", "../man1/qmpctl", "x y"])("refuses %j", (word) => {
    const { stderr, status } = spawnSync(process.execPath, [program, "man", word], { encoding: "utf8" });
    expect(stderr).toContain(`qmpctl: ${word}: there is no such verb`);
    expect(status).toBe(2);
  });
});
