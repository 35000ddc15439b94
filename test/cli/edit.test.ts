import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { editorOf } from "../../src/cli/edit/editor.ts";
import { edited as answer } from "../../src/cli/schema/answers.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import type { RewriteReport } from "../../src/domain/lifecycle/rewrite.ts";
import { faultOf } from "../../src/shape.ts";
import { configText } from "../config/fixtures.ts";
import { startInTerminal } from "./pty.ts";
import { play } from "./scene.ts";

const BEFORE = '{\n  "name": "web1",\n  "weight": 200\n}\n';
const report = (text: string): RewriteReport => ({ path: "/c/web1.json", text, isForNextStart: true, notes: [] });

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "qmpctl-editor-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

/** An editor: a script that gets the file as its last word, and notes what it was called with. */
async function editor(script: string): Promise<string> {
  const path = join(folder, "editor");
  await writeFile(path, `#!/bin/sh\nfor file; do :; done\nstat -c "%a $file" "$file" >> ${folder}/seen\n${script}\n`, { mode: 0o755 });
  return path;
}

async function seen(): Promise<readonly string[]> {
  return (await readFile(join(folder, "seen"), "utf8")).trim().split("\n");
}

/** Edits with a script, where `rewrite` takes the text, or not; `typed` is what the user answers. */
async function edit(script: string, rewrite: (text: string, before: string) => RewriteReport, typed = "", words: readonly string[] = []) {
  const stdin = Object.assign(Readable.from([typed]), { isTTY: true });
  const env = { PATH: process.env["PATH"], EDITOR: `${await editor(script)} --wait`, NO_COLOR: "1" };
  const domain = { config: async () => BEFORE, rewrite: async (text: string, before: string) => rewrite(text, before) };
  return await play(["edit", "web1", ...words], { stdin, env, domain, columns: 80 });
}

const invalid = (text: string): never => {
  throw new ConfigError("/c/web1.json", "invalid", [{ path: "weight", value: text.length, expected: "less" }]);
};

describe("edit", () => {
  test("gives a private copy to the editor, has the text written, and shows what was changed", async () => {
    const asked: string[] = [];
    const { code, stdout, stderr } = await edit('sed -i s/200/300/ "$file"', (...texts) => (asked.push(...texts), report(texts[0])));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^ {2}- {3}"weight": 200\n {2}\+ {3}"weight": 300\nweb1: the config is changed\nnote: it runs, and goes on as it is/,
    );
    expect(asked).toEqual([BEFORE.replace("200", "300"), BEFORE]);
    const [[mode, path] = []] = (await seen()).map((line) => line.split(" "));
    expect([mode, path]).toEqual(["600", expect.stringMatching(/\/web1\.json$/) as string]);
    // Nothing of a config stays in the folder of everybody's files.
    expect(existsSync(dirname(path ?? ""))).toBe(false);
  });

  test("says so if nothing was changed", async () => {
    const { code, stdout } = await edit("", () => invalid(""));
    expect([code, stdout]).toEqual([0, "web1: nothing was changed\n"]);
  });

  test.each([
    ['sed -i s/200/300/ "$file"', true],
    ["", false],
  ])("answers a program: %s", async (script, changed) => {
    const { stdout } = await edit(script, report, "", ["--json"]);
    expect(faultOf(answer, JSON.parse(stdout))).toBeUndefined();
    expect(JSON.parse(stdout)).toMatchObject({ name: "web1", changed });
  });

  test("asks whether to go on with what is wrong, and gives the editor the same text again", async () => {
    const script = 'grep -q 300 "$file" && sed -i s/300/250/ "$file" || sed -i s/200/300/ "$file"';
    const { code, stdout, stderr } = await edit(script, (text) => (text.includes("300") ? invalid(text) : report(text)), "what?\ny\n");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^qmpctl: \/c\/web1\.json: weight is \d+, expected less\nedit it again\? \(y\/n\) y: edit it again; n: leave/);
    expect(stdout).toContain('+   "weight": 250');
    expect(new Set(await seen()).size).toBe(1);
  });

  test.each([
    ["a no", "n\n"],
    ["the end of the input", ""],
  ])("keeps what was edited after %s, and says where", async (_, typed) => {
    const { code, stderr } = await edit('sed -i s/200/300/ "$file"', invalid, typed);
    const [, path = ""] = /kept in\s+(\S+)/.exec(stderr) ?? [];
    expect([code, await readFile(path, "utf8")]).toEqual([3, BEFORE.replace("200", "300")]);
    expect(stderr).toMatch(/web1: the config is as it was/);
    await rm(dirname(path), { recursive: true });
  });

  test("of a config that somebody else has changed meanwhile writes nothing, asks nothing, and loses nothing", async () => {
    const { code, stderr } = await edit('sed -i s/200/300/ "$file"', () => {
      throw new ConfigError("/c/web1.json", "changed", "somebody else changed it since it was read");
    });
    const [, path = ""] = /kept in\s+(\S+)/.exec(stderr) ?? [];
    expect([code, stderr.includes("edit it again"), existsSync(path)]).toEqual([3, false, true]);
    await rm(dirname(path), { recursive: true });
  });

  test("writes nothing if the editor fails", async () => {
    const { code, stderr } = await edit("exit 3", () => invalid(""));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^qmpctl: the editor\s+\(\S+\s+--wait\)\s+ended\s+with\s+status\s+3\n$/) as string,
    ]);
    const half = await edit('sed -i s/200/300/ "$file"; exit 3', () => invalid(""));
    const [, path = ""] = /kept in\s+(\S+)/.exec(half.stderr) ?? [];
    expect([half.code, existsSync(path)]).toEqual([1, true]);
    await rm(dirname(path), { recursive: true });
  });

  test("whose editor removes the file names no file to look into, and leaves no folder", async () => {
    const { code, stderr } = await edit('rm "$file"', () => invalid(""));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^qmpctl: the editor\s+has\s+left\s+no\s+file\s+\S+:\s+the\s+config\s+is\s+as\s+it\s+was\n$/),
    ]);
    const [path = ""] = (await seen()).map((line) => line.split(" ")[1] ?? "");
    expect([path === "", existsSync(dirname(path))]).toEqual([false, false]);
  });

  test("without a terminal says what to do instead", async () => {
    const { code, stderr } = await play(["edit", "web1"], { domain: { config: async () => BEFORE } });
    expect([code, stderr]).toEqual([3, expect.stringMatching(/no terminal.*instead: print the config with qmpctl config/) as string]);
  });

  test("is of one domain", async () => {
    expect(await play(["-H", "kvm[1-2]", "edit", "web1"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("one config") as string,
    });
  });
});

test.each([
  [{ VISUAL: "one", EDITOR: "two" }, "one"],
  [{ VISUAL: "", EDITOR: "code --wait" }, "code --wait"],
  [{ EDITOR: " " }, expect.stringMatching(/^(sensible-editor|vi)$/)],
])("the editor of %j", (env, wanted) => expect(editorOf(env)).toEqual(wanted));

test("the program edits in a terminal: words of the editor's are read as a shell does, and the file's name is not", async () => {
  const temporary = join(folder, `a $(touch planted) 'b"`);
  await mkdir(temporary);
  const config = join(folder, "web1.json");
  await writeFile(config, configText({ name: "web1", cpu: { weight: 200 } }), { mode: 0o640 });
  const env = {
    ...{ TMPDIR: temporary, QMPCTL_STATE_DIR: join(folder, "state"), QMPCTL_RUNTIME_DIR: join(folder, "run") },
    EDITOR: `cd '${folder}' && sed -i -e 's/200/-5/' -e 's/"web1"/"web1"/'`,
  };
  await using terminal = startInTerminal(["edit", config], env);
  await terminal.says(/cpu\.weight\s+is\s+-5,\s+expected[^]*edit\s+it\s+again/);
  terminal.type("n\r");
  await terminal.says(/the\s+config\s+is\s+as\s+it\s+was/);
  expect(await terminal.ended).toBe(3);
  expect(await readFile(config, "utf8")).toContain("200");
  const [kept = ""] = await readdir(temporary);
  expect(await readFile(join(temporary, kept, "web1.json"), "utf8")).toContain("-5");
  expect((await readdir(folder)).toSorted()).not.toContain("planted");

  await using again = startInTerminal(["edit", config], { ...env, EDITOR: "sed -i s/200/300/" });
  await again.says(/the\s+config\s+is\s+changed/);
  expect(await again.ended).toBe(0);
  expect(await readFile(config, "utf8")).toContain("300");
});
