import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { program } from "../program.ts";
import { programInTerminal, type Pty } from "../pty.ts";
import { Emulated } from "./emulated.ts";

/** The program top in a terminal, and what that shows. */
interface Top {
  readonly pty: Pty;
  /** Resolves when the screen, as it is then, is as it has to be. */
  shows(isIt: (screen: Emulated) => boolean): Promise<Emulated>;
  readonly pid: () => number;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "qmpctl-test-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const AND_SAYS = `modes=$(stty -g); sh -c 'echo $$ > "$0"; exec "$@"' "$@"; code=$?
echo "ended with $code"; test "$modes" = "$(stty -g)" && echo "modes restored"`;

/**
 * Runs top below a shell that says afterwards whether the terminal's modes are those of before. `size`: what it begins with; `shown`: the
 * size of the emulated one, where it becomes another.
 */
function topIn(
  size: { columns: number; rows: number },
  { env = {}, shown = size }: { env?: Record<string, string>; shown?: typeof size } = {},
): Top {
  const pidfile = join(folder(), "pid");
  const pty = programInTerminal(
    ["sh", "-c", AND_SAYS, "sh", pidfile, process.execPath, program, "top", "--every", "200ms"],
    { LANG: "C.UTF-8", ...env },
    size,
  );
  return {
    pty,
    async shows(isIt) {
      let last = new Emulated(shown.columns, shown.rows);
      await pty.writes((output) => {
        last = new Emulated(shown.columns, shown.rows);
        last.take(output);
        return isIt(last);
      });
      return last;
    },
    pid: () => Number(readFileSync(pidfile, "utf8")),
  };
}

const isThere = (screen: Emulated): boolean => screen.isAlternate && screen.lines.at(-1)?.includes("q quit") === true;
/** The terminal as it was: its screen, its cursor, its modes. */
const isBack = (screen: Emulated): boolean =>
  !screen.isAlternate && screen.isCursorShown && screen.wraps && screen.text.includes("modes restored");

test("draws all of a terminal of 80 columns and 24 rows, obeys keys, and gives it back as it was", async () => {
  const { pty, shows } = topIn({ columns: 80, rows: 24 });
  await using _ = pty;
  const screen = await shows(isThere);
  expect(screen.lines[0]).toMatch(/^qmpctl top  .*load \d/);
  expect(screen.lines[1]).toMatch(/^CPU \[.*\] .*pressure cpu/);
  expect(screen.lines[4]).toMatch(/^ {2}NAME +STATE +CPU%▼/);
  pty.type("h");
  await shows(({ text }) => text.includes("leave out what does not run"));
  pty.type("hr");
  await shows(({ lines }) => lines[4]?.includes("CPU%▲") === true);
  pty.type("/x\u001b[Ay\r");
  await shows(({ text }) => text.includes('only "xy"'));
  pty.type("q");
  const after = await shows(isBack);
  expect(after.text).toContain("ended with 0");
  await pty.ended;
});

test.each(["SIGTERM", "SIGHUP", "SIGQUIT"] as const)("gives the terminal back when %s ends it", async (signal) => {
  const { pty, shows, pid } = topIn({ columns: 80, rows: 24 });
  await using _ = pty;
  await shows(isThere);
  process.kill(pid(), signal);
  const after = await shows(isBack);
  expect(after.text).toMatch(signal === "SIGQUIT" ? /ended with 131/ : /ended with 130/);
});

test("gives the terminal back before the error of a crash is printed", async () => {
  const bug = join(folder(), "bug.cjs");
  writeFileSync(bug, 'process.on("SIGUSR2", () => { throw new Error("a bug of ours"); });');
  const { pty, shows, pid } = topIn({ columns: 80, rows: 24 }, { env: { NODE_OPTIONS: `--require ${bug}` } });
  await using _ = pty;
  await shows(isThere);
  process.kill(pid(), "SIGUSR2");
  const after = await shows(isBack);
  expect(after.text).toMatch(/internal error: Error: a bug of ours[^]*ended with 1\n/);
});

test("follows the size of its terminal", async () => {
  const { pty, shows, pid } = topIn({ columns: 80, rows: 24 }, { shown: { columns: 120, rows: 30 } });
  await using _ = pty;
  await shows(({ lines }) => lines[23]?.includes("q quit") === true);
  execFileSync("stty", ["-F", readlinkSync(`/proc/${pid()}/fd/0`), "cols", "120", "rows", "30"]);
  const screen = await shows(({ lines }) => lines[29]?.includes("q quit") === true);
  expect(screen.lines[4]).toMatch(/READ +WRITE +IN +OUT/);
  expect(screen.lines[23]).not.toContain("q quit");
});

test("stops on Ctrl-Z with the terminal as it was, and goes on with fg", async () => {
  const pty = programInTerminal(
    ["bash", "--norc", "--noprofile", "-i"],
    { HISTFILE: "", PS1: "now> ", LANG: "C.UTF-8" },
    { columns: 80, rows: 24 },
  );
  await using _ = pty;
  const shows = (isIt: (screen: Emulated) => boolean): Promise<void> =>
    pty.writes((output) => {
      const screen = new Emulated(80, 24);
      // Bash's own command for pasted text.
      screen.take(output.replaceAll(/\u001b\[\?2004[hl]/g, ""));
      return isIt(screen);
    });
  await shows(({ text }) => text.trimEnd().endsWith("now>"));
  pty.type(`${process.execPath} ${program} top\n`);
  await shows(isThere);
  pty.type("\u001a");
  await shows((screen) => !screen.isAlternate && screen.isCursorShown && /Stopped[^]*\nnow>$/.test(screen.text.trimEnd()));
  pty.type("stty -a | grep -o ' icanon'; fg\n");
  await shows(isThere);
  pty.type("q");
  await shows((screen) => !screen.isAlternate && / icanon\n/.test(screen.text) && screen.text.trimEnd().endsWith("now>"));
});

describe("without a terminal", () => {
  const env = { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1", QMPCTL_CONFIG_DIR: "/nonexistent" };

  test("frames are one JSON object on a line each, the first one with rates too", () => {
    const { stdout } = spawnSync(process.execPath, [program, "top", "-n", "2", "-d", "100ms", "--json"], { env, encoding: "utf8" });
    const frames = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly over: number; readonly host: { readonly busy: number | null } });
    expect(frames).toHaveLength(2);
    for (const { over, host } of frames) {
      expect(over).toBeGreaterThanOrEqual(90);
      expect(host.busy).not.toBeNull();
    }
  });

  test("ends quietly when nobody reads any more", () => {
    const { stdout, stderr } = spawnSync("sh", ["-c", '"$0" "$1" top -b -d 100ms | head -n 1', process.execPath, program], {
      env,
      encoding: "utf8",
    });
    expect(stdout).toMatch(/^qmpctl top .*\n$/);
    expect(stdout).not.toContain("\u001b");
    expect(stderr).toBe("");
  });
});
