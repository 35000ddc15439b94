import { execFileSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { control, harmless, oneLine } from "../../src/cli/harmless.ts";
import { commandLine, shellWord } from "../../src/domain/model/format.ts";

const SOURCES = new URL("../../src/", import.meta.url).pathname;

/**
 * One of each kind: commands to terminals of 7 and of 8 bits, what turns the order of a line, what ends one, what does not show, half a
 * character.
 */
const HARMFUL = [
  "\u0000",
  "\u0007",
  "\u0008",
  "\u000b",
  "\u000c",
  "\r",
  "\u001b",
  "\u007f",
  "\u0080",
  "\u0085",
  "\u009b",
  "\u009d",
  "\u009f",
  "\u00ad",
  "\u061c",
  "\u200b",
  "\u200e",
  "\u200f",
  "\u2028",
  "\u2029",
  "\u202a",
  "\u202e",
  "\u2060",
  "\u2066",
  "\u2069",
  "\ufeff",
  "\u{e0041}",
  "\ud800",
  "\udc00",
];

describe("a sink's text", () => {
  test.each(HARMFUL)("%j becomes its number, which JSON reads as the same", (char) => {
    const made = harmless(`a${char}b`);
    expect(made).toMatch(/^a(\\u[0-9a-f]{4})+b$/);
    expect(JSON.parse(`"${made}"`)).toBe(`a${char}b`);
    expect(oneLine(`a${char}b`)).toBe(made);
  });

  test.each(["plain", "two\nlines\n", "a\tb", "CR LF\r\n", "Grüße 東京 🚀", "\\u001b"])("%j stays as it is", (text) =>
    expect(harmless(text)).toBe(text),
  );

  test("our own commands to the terminal pass, those of others between them do not", () => {
    expect(harmless(`${control("\u001b[1m")}a\u001b[2J${control("\u001b[22m")}`)).toBe("\u001b[1ma\\u001b[2J\u001b[22m");
  });

  test("nobody outside can write what passes", () => {
    for (const guess of ["\u0000\u001b[2J\u0000", "\u0000KEY\u001b[2J\u0000", `${control("").slice(0, -2)}\u001b[2J\u0000`])
      expect(harmless(guess)).not.toContain("\u001b");
  });

  test.each(["\n", "\t", "\r\n"])("%j in a text that is part of a line is no end of the line", (char) =>
    expect(oneLine(`a${char}b`)).toMatch(/^a(\\u[0-9a-f]{4})+b$/),
  );
});

describe("the sources", async () => {
  const paths = (await readdir(SOURCES, { recursive: true })).filter((name) => name.endsWith(".ts") && !name.startsWith("testing/")).sort();
  const texts = new Map(await Promise.all(paths.map(async (path) => [path, await readFile(join(SOURCES, path), "utf8")] as const)));

  /** What writes to a terminal, or to a file that is one. */
  const WAYS_OUT =
    /\bprocess\s*\??\.?\s*(stdout|stderr)|\bprocess\s*\??\.?\s*\[|\{[^}]*\bstd(out|err)\b[^}]*\} = process\b|\bconsole\s*(\.\s*(assert|debug|dir\w*|error|group\w*|info|log|table|time\w*|trace|warn|write\w*)\b|\[)|Sync\("\/dev\/|open\("\/dev\/|"inherit"|\b(writeSync|writevSync|createWriteStream)\(|from "node:(tty|console)"|\.emitWarning\(/;

  test("nothing but main.ts has a way to stdout and stderr, or the direct one that it alone takes", () => {
    // The far end writes frames to a program. The program itself, begun again as another user, has the streams of the one that began it.
    // What was done to a machine is added to a file of ours, as JSON. What a timer runs at a far end writes to its log. The screen of top
    // asks its terminal how large it is.
    // The editor of a user has the terminal as any program that is begun there. man shows a page of our own. A module of Ansible's writes
    // one object in printable ASCII.
    const ways = [
      "ansible/module-process.ts",
      "cli/edit/editor.ts",
      "cli/manual/show.ts",
      "cli/main.ts",
      "cli/far-process.ts",
      "cli/far-alone.ts",
      "cli/launcher.ts",
      "cli/direct-output.ts",
      "cli/become.ts",
      "cli/top/terminal.ts",
      "domain/change/history.ts",
    ];
    expect(
      [...texts]
        .filter(([path, text]) => !ways.includes(path) && WAYS_OUT.test(text.replace(/^\s*(\/\/|\*|\/\*\*).*$/gm, "")))
        .map(([path]) => path),
    ).toEqual([]);
    expect([...texts].filter(([, text]) => text.includes("direct-output.ts")).map(([path]) => path)).toEqual(["cli/main.ts"]);
  });

  test("the screen of top writes by the sink that it is given", () => {
    const terminal = texts.get("cli/top/terminal.ts") ?? "";
    expect(terminal.match(/process\.stdout\S*/g)).toEqual([
      'process.stdout.on("resize",',
      "process.stdout;",
      'process.stdout.off("resize",',
    ]);
    expect(terminal.match(/\.write\([^)]*/g)).toEqual([".write(ENTER", ".write(LEAVE"]);
  });

  test("the launcher says one sentence of its own, before main.ts is there: that Node is too old", () => {
    const said = (texts.get("cli/launcher.ts") ?? "").match(/process\.std(out|err)[^\n]*/g);
    expect(said).toEqual(["process.stderr.write(`${problem}\\n`);"]);
  });

  test("main.ts writes to them in one place, and nothing that was not made harmless", () => {
    const main = texts.get("cli/main.ts") ?? "";
    const [send = ""] = /^  const send = .*?^  \};$/ms.exec(main) ?? [];
    const rest = main.replace(send, "").replace(/(sinkOf\("stderr"\)|\bio\.stderr)\.write\(/g, "");
    // Only `send` writes text, and it is only given what is harmless. An empty write is how one waits for the reader.
    expect(rest.match(/\.write\([^)]*/g)).toEqual(['.write("", (']);
    expect(rest.match(/\bsend\(.*?\)\)/g)).toEqual(["send(harmless(text))"]);
    expect(rest.match(/\bdirect\(/g)).toBeNull();
    // The streams have no other way out of `sinkOf`.
    expect(main.match(/process(\[name\]|\.std(out|err))/g)).toEqual(["process[name]"]);
  });

  test("no text has a command to the terminal in it, unless it goes through `control`", () => {
    const escapes = [...texts].flatMap(([path, text]) =>
      text
        .split("\n")
        .filter((line) => /\\u001b|\\x1b|\\u0007|\\e\[/i.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    expect(escapes.filter((line) => !line.includes("control(") && !line.includes("const DRAWING = /"))).toEqual([]);
    expect(escapes.length).toBeGreaterThan(3);
  });

  test.each([
    "process.stderr.write(x)",
    "const { write } = process.stdout;",
    "process\n  .stdout",
    'process["stdout"]',
    "console.log(x)",
    "console[kind](x)",
    'openSync("/dev/tty")',
    'stdio: "inherit"',
    "writeSync(1, x)",
    'createWriteStream("", { fd: 2 })',
  ])("a way out is seen in %j", (text) => expect(WAYS_OUT.test(text)).toBe(true));

  test("F9: a command that is told has the names in it quoted", () => {
    const bare = /qmpctl [a-z]+ (?:[^`"]*? )?\$\{(?!shellWord\()(?:[\w.#]*\.)?(?:name|domain|cpus|path)\}/;
    expect(
      [...texts].flatMap(([path, text]) =>
        text
          .split("\n")
          .filter((line) => bare.test(line))
          .map((line) => `${path}: ${line.trim()}`),
      ),
    ).toEqual([]);
    expect(bare.test("`qmpctl start ${place.name}`")).toBe(true);
  });
});

describe("a word for a shell", () => {
  const NASTY = [
    "web1",
    "/tmp/a b;touch x.json",
    "it's",
    "$(touch x)",
    "`touch x`",
    "a\nb",
    "\u001b[2J",
    "-x",
    "",
    "*",
    "~",
    "a\\b",
    "!1",
    "é",
    "\u009b'",
    "unix:/run/x.sock",
    "tls:h:1?ca=/f",
  ];

  test.each(NASTY)("%j comes back as it was, shows nothing but itself and runs nothing", (word) => {
    const quoted = shellWord(word);
    expect(oneLine(quoted)).toBe(quoted);
    expect(execFileSync("bash", ["--norc", "-c", `printf %s ${quoted}`], { encoding: "utf8" })).toBe(word);
  });

  test("plain words are not quoted", () =>
    expect(commandLine("setmem", "unix:/run/x.sock", "300M", "--static")).toBe("qmpctl setmem unix:/run/x.sock 300M --static"));
});
