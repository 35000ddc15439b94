import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { run } from "../../../src/cli/command.ts";
import type { Domain, Facade } from "../../../src/domain/facade.ts";
import { QmpctlError } from "../../../src/errors.ts";
import { ALONE } from "../alone.ts";
import { ioOf, Paper } from "../scene.ts";
import { puppet, type Puppet } from "./monitors.ts";

/** Paper that can be waited on. */
class Watched extends Paper {
  #look = (): void => {};
  #seen = 0;

  override write(text: string): void {
    super.write(text);
    this.#look();
  }

  /** Resolves with what was written since the last time, as soon as it has such a thing in it. */
  async says(wanted: string | RegExp): Promise<string> {
    for (;;) {
      const fresh = plain(this.text.slice(this.#seen));
      const found = typeof wanted === "string" ? fresh.includes(wanted) : wanted.test(fresh);
      if (found) {
        this.#seen = this.text.length;
        return fresh;
      }
      await new Promise<void>((resolve) => (this.#look = resolve));
    }
  }
}

const plain = (text: string): string => text.replaceAll(/\u001b\[[\d;]*[A-Za-z]/g, "");

interface Shell extends AsyncDisposable {
  readonly screen: Watched;
  readonly monitor: Puppet;
  readonly history: string;
  readonly ended: Promise<number>;
  readonly interrupt: AbortController;
  /** Keys, one chunk each, as a terminal sends them. */
  type(...keys: readonly string[]): void;
  /** Types a line, and resolves with what was said since the last time, as soon as this is in it. */
  run(line: string, wanted: string | RegExp): Promise<string>;
  stderr(): string;
}

async function shell(
  answers: Parameters<typeof puppet>[0] = {},
  options: readonly string[] = [],
  home?: string,
  otherwise: (monitor: Puppet) => Partial<Puppet> = () => ({}),
): Promise<Shell> {
  const folder = home ?? (await mkdtemp(join(tmpdir(), "qmpctl-")));
  const monitor = await puppet({ "query-status": () => ({ status: "running" }), ...answers });
  const screen = new Watched(80);
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const interrupt = new AbortController();
  const base = ioOf({ columns: 80, env: { XDG_STATE_HOME: folder, TERM: "xterm" }, signal: interrupt.signal });
  const io = { ...base, stdin, stdout: screen };
  const domain = {
    name: "web1",
    connect: async () => ({ ...monitor, ...otherwise(monitor) }),
    [Symbol.asyncDispose]: async () => {},
  } as unknown as Domain;
  const ended = run(["qmp", "web1", ...options], {
    io,
    facade: { open: async () => domain } as unknown as Facade,
    ...ALONE,
    version: async () => "1",
  });
  await screen.says("> ");
  return {
    screen,
    monitor,
    ended,
    interrupt,
    history: join(folder, "qmpctl", "history"),
    type: (...keys) => keys.forEach((key) => stdin.write(key)),
    run: (line, wanted) => {
      stdin.write(`${line}\r`);
      return screen.says(wanted);
    },
    stderr: () => base.stderr.text,
    async [Symbol.asyncDispose]() {
      stdin.end();
      await ended;
      if (home === undefined) await rm(folder, { recursive: true });
    },
  };
}

/** An answer that never comes. */
async function stuck(signal?: AbortSignal): Promise<never> {
  signal?.throwIfAborted();
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error)));
}

test.each([
  ["unix:/run/qmpctl/web1/watch.sock", ""],
  [
    "unix:/run/qmpctl/web1/control.sock",
    "Changes of this machine wait while unix:/run/qmpctl/web1/control.sock is in use here: it is the only free monitor.\n",
  ],
])("at %s it says what waits for it: %j", async (address, said) => {
  await using it = await shell({}, [], undefined, () => ({ address }));
  expect(
    it
      .stderr()
      .replace(/^.*\n/, "")
      .replace(/ *\n(?=.)/g, " "),
  ).toBe(said);
});

test("says where it is, runs a command, shows what it returns, and ends at ^D with 0", async () => {
  await using it = await shell();
  expect(it.stderr()).toBe("QMP of web1: TAB completes, help [COMMAND] explains, ^D leaves.\n");
  expect(await it.run("query-status", "web1> ")).toContain("query-status");
  it.type("\u0004");
  expect(await it.ended).toBe(0);
  expect(plain(it.screen.text)).toContain('{\n  "status": "running"\n}\n');
});

test("exit ends it too, and what was typed ahead of an end is not run", async () => {
  await using it = await shell();
  it.type("exit\rquery-status\r");
  expect(await it.ended).toBe(0);
  expect(it.monitor.sent).toEqual([]);
});

test("TAB completes from the machine's own schema", async () => {
  await using it = await shell({ device_del: () => ({}) });
  it.type("query-hotp\t");
  await it.screen.says("luggable-cpus ");
  it.type("\u0003", "query-sta\t");
  await it.screen.says("query-stat");
  // What several words share is there; once more lists them.
  it.type("\t");
  expect(await it.screen.says("query-status")).toContain("query-stats-schemas");
});

test("an event comes above the line that is being typed, which stays", async () => {
  await using it = await shell();
  it.type("query-");
  await it.screen.says("query-");
  it.monitor.emit("STOP", { why: 1 });
  expect(await it.screen.says("web1> query-")).toMatch(/\d\d:\d\d:\d\d\.000 {2}STOP {2}\{"why":1\}\n/);
  await it.run("status", '"running"');
  expect(it.monitor.sent).toEqual([["query-status", {}]]);
});

test("above a line of several rows, too: it is drawn right below the event, however often", async () => {
  await using it = await shell();
  it.type("x".repeat(100));
  await it.screen.says("x".repeat(100));
  for (const event of ["STOP", "RESUME"]) {
    const before = it.screen.text.length;
    it.monitor.emit(event);
    await it.screen.says("x".repeat(100));
    const drawn = it.screen.text.slice(before);
    const between = drawn.slice(drawn.indexOf(event) + event.length, drawn.lastIndexOf("web1> "));
    // Rows down, less rows up again.
    const up = [...between.matchAll(/\u001b\[(\d+)A/g)].reduce((sum, [, rows]) => sum + Number(rows), 0);
    expect(between.split("\n").length - 1 - up).toBe(1);
    it.type("y");
    await it.screen.says("y");
  }
});

test("events can be chosen", async () => {
  await using it = await shell();
  await it.run("events resume", "events shown: RESUME");
  it.monitor.emit("STOP");
  it.monitor.emit("RESUME");
  expect(await it.screen.says("RESUME")).not.toContain("STOP");
  await it.run("events off", "events shown: none");
});

test("brackets that are open take further lines; ^C drops them", async () => {
  await using it = await shell({ device_del: () => ({}) });
  await it.run('device_del {"id":', "... ");
  await it.run('"a"}', "{}");
  expect(it.monitor.sent).toEqual([["device_del", { id: "a" }]]);
  it.type("device_del {\r", "\u0003");
  await it.screen.says(/\^C\n.*web1> $/);
  await it.run("query-status", '"running"');
});

describe("errors", () => {
  test("have QEMU's class and description, and what was probably meant", async () => {
    await using it = await shell();
    await it.run(
      "query-statu",
      /error: query-statu: The command query-statu has not been found\s+\(CommandNotFound\), did you mean query-status\?/,
    );
    await it.run("balloon value=x", 'error: value=x: "x" is not an integer');
  });
});

test("^C on a command that takes its time stops the waiting, not the shell", async () => {
  await using it = await shell({ balloon: (_, signal) => stuck(signal) });
  await it.run("balloon value=1", "\n");
  it.type("\u0003");
  await it.screen.says("stopped waiting: the command was sent and may still run");
  await it.run("query-status", '"running"');
});

test("quit has to be said twice, since it ends the machine", async () => {
  await using it = await shell({ quit: () => ({}) });
  await it.run("quit", "type it again");
  expect(it.monitor.sent).toEqual([]);
  it.type("query-status\r", "quit\r");
  await it.screen.says("type it again");
  expect(it.monitor.sent.length).toBe(1);
  await it.run("quit", "{}");
  it.monitor.end(new QmpctlError("closed", "web1: the peer closed the connection"));
  expect(await it.ended).toBe(0);
});

test("the end of the connection ends it with 1, and with the reason", async () => {
  await using it = await shell();
  it.type("query-");
  await it.screen.says("query-");
  it.monitor.end(new QmpctlError("closed", "web1: the peer closed the connection"));
  expect(await it.ended).toBe(1);
  expect(it.stderr()).toMatch(/qmpctl: web1: the peer closed the connection\n$/);
  expect(it.screen.text.endsWith("\n")).toBe(true);
});

test("a signal ends it with 130", async () => {
  await using it = await shell();
  it.interrupt.abort(new Error("interrupted by SIGTERM"));
  expect(await it.ended).toBe(130);
});

test("help knows what a command takes, what it returns, and what an event brings", async () => {
  await using it = await shell();
  expect(await it.run("help device_del", "returns nothing")).toContain("device_del id=..\n  id  string\n");
  expect(await it.run("help query-status", "running")).toContain("returns an object with\n");
  expect(await it.run("help BALLOON_CHANGE", "integer")).toContain("  actual  integer\n");
  expect(await it.run("help migrate-set-capabilities", "returns nothing")).toMatch(
    / {2}capabilities {15,}list of object\n {2}capabilities\.0\.capability {2}xbzrle\|/,
  );
  await it.run("help baloon", "this QEMU has no such command, did you mean balloon?");
  expect(await it.run("help", "x-query-virtio")).toContain("query-status");
});

test("the human monitor's lines: one with !, all with hmp; its text as it is", async () => {
  const seen: unknown[] = [];
  await using it = await shell({ "human-monitor-command": ({ "command-line": line }) => (seen.push(line), "VM status: running\r\n") });
  await it.run("!info status", "VM status: running\n");
  await it.run("hmp", "web1 (hmp)> ");
  await it.run("info cpus", "VM status");
  await it.run("qmp", "web1> ");
  expect(seen).toEqual(["info status", "info cpus"]);
});

describe("the history", () => {
  test("is a private file, has statements whole, and no secrets", async () => {
    await using it = await shell({ set_password: () => ({}), device_del: () => ({}) });
    await it.run("query-status", '"running"');
    await it.run('device_del {"id":', "... ");
    await it.run('"a"}', "{}");
    it.type("set_password protocol=vnc password=hunter2\r", " query-status\r", "exit\r");
    await it.ended;
    expect(await readFile(it.history, "utf8")).toBe('query-status\ndevice_del {"id": "a"}\nexit\n');
    expect((await stat(it.history)).mode & 0o777).toBe(0o600);
  });

  test("has no line twice in a row, and no blanks at an end", async () => {
    await using it = await shell();
    for (const line of ["query-status", "query-status ", "exit"]) {
      it.type(`${line}\r`);
      if (line !== "exit") await it.screen.says('"running"');
    }
    await it.ended;
    expect(await readFile(it.history, "utf8")).toBe("query-status\nexit\n");
  });

  const withHistory = async (): Promise<Shell> => {
    const it = await shell({ device_del: () => ({}), "query-status": () => ({ status: "running" }) });
    for (const id of ["one", "two"]) await it.run(`device_del id=${id}`, "{}");
    await it.run("query-status", '"running"');
    return it;
  };

  test("F5: is searched with ^R for what is typed after it, further back each time, and Enter runs what is found", async () => {
    await using it = await withHistory();
    it.type("\u0012");
    await it.screen.says("(reverse-i-search)`': ");
    it.type("d", "e", "l");
    await it.screen.says("(reverse-i-search)`del': device_del id=two");
    it.type("\u0012");
    await it.screen.says("(reverse-i-search)`del': device_del id=one");
    it.type("\u0012");
    await it.screen.says(/\u0007.*\(failed reverse-i-search\)`del': device_del id=one/s);
    await it.run("", "{}");
    expect(it.monitor.sent.at(-1)).toEqual(["device_del", { id: "one" }]);
  });

  test("is searched for what was typed before ^R too, and taken back by letters", async () => {
    await using it = await withHistory();
    it.type("query", "\u0012");
    await it.screen.says("(reverse-i-search)`query': query-status");
    it.type(..."\u007f\u007f\u007f\u007f\u007f");
    it.type("o");
    await it.screen.says("(reverse-i-search)`o': device_del id=two");
    it.type("n");
    await it.screen.says("(reverse-i-search)`on': device_del id=one");
  });

  test("what was found can be edited after an arrow or Escape, and ^G gives back what was typed", async () => {
    await using it = await withHistory();
    it.type("que", "\u0012", "x", "\u0007");
    await it.screen.says(/web1> que$/);
    it.type("\u0015", "\u0012", "two", "\u001b[C");
    await it.screen.says("web1> device_del id=two");
    await it.run("x", "{}");
    expect(it.monitor.sent.at(-1)).toEqual(["device_del", { id: "twox" }]);
    // Nothing typed: the search before.
    it.type("\u0012", "\u0012");
    await it.screen.says("(reverse-i-search)`two': device_del id=twox");
  });

  test("an event in the middle of a search is shown above it", async () => {
    await using it = await withHistory();
    it.type("\u0012", "one");
    await it.screen.says("(reverse-i-search)`one': device_del id=one");
    it.monitor.emit("STOP");
    await it.screen.says(/STOP[^]*\(reverse-i-search\)`one': device_del id=one/);
    await it.run("", "{}");
    expect(it.monitor.sent.at(-1)).toEqual(["device_del", { id: "one" }]);
  });

  test("is there for the next shell, which goes back by arrow, over whole statements", async () => {
    await using first = await shell({ device_del: () => ({}) });
    first.type("query-status\r", 'device_del {"id":\r');
    await first.screen.says("... ");
    await first.run('"a"}', "{}");
    first.type("\u001b[A");
    await first.screen.says('device_del {"id": "a"}');
    first.type("\u001b[A");
    await first.screen.says("web1> query-status");
    first.type("\u0003", "\u0004");
    await first.ended;
    await using second = await shell({}, [], join(first.history, "..", ".."));
    second.type("\u001b[A");
    await second.screen.says('device_del {"id": "a"}');
  });
});

test("--json and --keep-going are no words for a terminal", async () => {
  const screen = new Paper(80);
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const io = { ...ioOf({ columns: 80 }), stdin, stdout: screen };
  const domain = { name: "web1", connect: async () => puppet(), [Symbol.asyncDispose]: async () => {} } as unknown as Domain;
  expect(
    await run(["qmp", "web1", "--keep-going"], {
      io,
      facade: { open: async () => domain } as unknown as Facade,
      ...ALONE,
      version: async () => "1",
    }),
  ).toBe(2);
});

test("events that come quicker than they are shown: it is said that some are missing, and the shell goes on", async () => {
  let streams = 0;
  await using it = await shell({}, [], undefined, (monitor) => ({
    events: () => (++streams > 1 ? monitor.events() : new Flooded()) as ReturnType<Puppet["events"]>,
  }));
  await it.screen.says("events came faster than the terminal takes them: some are missing");
  it.monitor.emit("STOP");
  await it.screen.says("STOP");
  expect(streams).toBe(2);
  expect(await it.run("query-status", "running")).toContain("running");
});

/** Events that are over before they begin. */
class Flooded {
  async *[Symbol.asyncIterator](): AsyncGenerator<never> {
    throw new QmpctlError("overflow", "event stream: more than 10000 events wait to be read");
  }
  [Symbol.dispose](): void {}
}
