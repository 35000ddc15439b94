import { describe, expect, test } from "vitest";
import { isOneLine } from "../../../src/cli/harmless.ts";
import { type Capabilities, lineWidth, plain } from "../../../src/cli/top/drawing.ts";
import { type Frame, Frames } from "../../../src/cli/top/frame.ts";
import { pageOf } from "../../../src/cli/top/page.ts";
import { firstView, pressed, type View } from "../../../src/cli/top/view.ts";
import type { MachineSample } from "../../../src/domain/views/sample.ts";
import { hostileSample, machineOf, sampleOf } from "./samples.ts";

const SMALL: Capabilities = { columns: 80, rows: 24, unicode: true, colors: true };
const LARGE: Capabilities = { columns: 200, rows: 50, unicode: true, colors: true };
const PLAIN: Capabilities = { ...SMALL, unicode: false, colors: false };
const VIEW = firstView({ order: "name", only: "", every: 1000 });

function frameOf(machines: readonly MachineSample[]): Frame {
  const frames = new Frames();
  frames.next(sampleOf(machines));
  return frames.next(
    sampleOf(
      machines.map((each) => ({ ...each, cpuTime: each.cpuTime === null ? null : each.cpuTime + 500 })),
      1000,
    ),
  );
}

function drawn(frame: Frame, can: Capabilities, view: View = VIEW, top = 0): readonly string[] {
  return pageOf({ frame, view, can, past: () => [0, 50, 100, 200], top }).lines.map(plain);
}

const many = Array.from({ length: 50 }, (_, at) => machineOf(`web${at + 1}`, { pid: 100 + at, cpuTime: at }));
const ODD: readonly MachineSample[] = [
  machineOf("日本語の仮想マシンですこれは長い名前"),
  machineOf("e\u0301\u0301combined", { pid: 2 }),
  machineOf("\u001b[2Jwiped\nline", { pid: 3 }),
  machineOf("🚀".repeat(30), { pid: 4 }),
];

describe.each([
  ["80 by 24", SMALL],
  ["200 by 50", LARGE],
  ["a terminal that can little", PLAIN],
  ["a very small one", { ...SMALL, columns: 20, rows: 4 }],
  ["one of a single character", { ...SMALL, columns: 1, rows: 1 }],
] as const)("a page of %s", (_what, can) => {
  test.each([
    ["fifty machines", sampleOf(many), VIEW],
    ["fifty, all open", sampleOf(many), { ...VIEW, allOpen: true }],
    ["odd names", sampleOf(ODD), { ...VIEW, allOpen: true }],
    ["texts that mean harm", hostileSample("\u001b]0;x\u0007\u202e\nevil\r"), { ...VIEW, allOpen: true }],
    ["nobody", sampleOf([]), VIEW],
    ["the help", sampleOf(many), { ...VIEW, help: true }],
    ["something typed", sampleOf(many), { ...VIEW, typing: "日本\u001b" }],
  ])("is as large as the terminal, and harmless: %s", (_of, sample, view) => {
    const { lines } = pageOf({ frame: frameOf(sample.machines), view, can, past: () => [1, 2], top: 0 });
    expect(lines).toHaveLength(can.rows);
    for (const line of lines) {
      expect(lineWidth(line)).toBeLessThanOrEqual(can.columns);
      for (const { text } of line) expect(isOneLine(text), JSON.stringify(text)).toBe(true);
    }
  });
});

test("80 columns: the chief figures of each domain, and a letter for what is noted", () => {
  const differs = [{ resource: "max-memory", kind: "next start", why: "waits for the next start" } as const];
  const memory = { ...machineOf("x").memory, target: 2 ** 30 };
  const lines = drawn(frameOf([machineOf("web1", { differs, memory }), machineOf("web2", { interrupted: true, state: "paused" })]), SMALL);
  expect(lines.slice(0, 7)).toEqual([
    expect.stringMatching(/^qmpctl top {2}kvm1 {2}\d\d:\d\d:\d\d {2}every 1s +load 1\.50 1\.00 0\.50$/),
    "CPU [████▌·············] 25.0% of 8          pressure cpu 1.3 mem 0.0 io -",
    "RAM [█████████████▌····] 24G of 32G          no swap",
    "2 domains: 1 running, 1 paused   4 vCPUs (0.5x)   4G given (0.1x)   2G used",
    "  NAME▲       STATE      CPU% STEAL  vCPU    MEM GUEST   HOST   DISK    NET MARK",
    "> web1        running    50.0   0.0   2/4     2G   75%     1G      -      0 NM",
    "  web2        paused     50.0   0.0   2/4     2G   75%     1G      -      0 !",
  ]);
  expect(lines[23]).toMatch(/^h help {2}q quit .* 1 of 2$/);
});

test("80 columns: what all were given is there, however many QEMUs have no config", () => {
  const others = Array.from({ length: 11 }, (_, at) => machineOf("stray", { defined: false, state: null, pid: 500 + at }));
  const [, , , line] = drawn(frameOf([...many.slice(0, 8), machineOf("off", { state: "stopped" }), ...others]), SMALL);
  expect(line).toBe("9 domains: 8 running, 1 stopped   40 vCPUs (5.0x)   40G given (1.3x)   20G used");
  const silent = drawn(frameOf([...many.slice(0, 2), machineOf("hung", { state: "unreachable" })]), SMALL);
  expect(silent[3]).toMatch(/^3 domains: 2 running, 1 otherwise /);
});

test("200 columns: curves, both directions of traffic, and notes in words", () => {
  const memory = { ...machineOf("x").memory, target: 2 ** 30 };
  const lines = drawn(frameOf([machineOf("web1", { memory })]), LARGE);
  expect(lines[4]).toMatch(/ CPU +.* GUEST +HOST +READ +WRITE +IN +OUT +PID MARK NOTES$/);
  expect(lines[5]).toMatch(/▁▃▅█ .* M +balloon 2G→1G$/);
});

test("without Unicode, nothing but ASCII is drawn", () => {
  const lines = drawn(frameOf([machineOf("web1"), machineOf("b".repeat(60))]), { ...PLAIN, columns: 200 }, { ...VIEW, allOpen: true });
  for (const line of lines) expect(line).toMatch(/^[\u0020-\u007e]*$/);
});

test("an open domain shows its vCPUs, its memory, its disks and nets, and why it is noted", () => {
  const differs = [{ resource: "vcpu-pin 0", kind: "drift", why: "changed on one side only" } as const];
  const lines = drawn(frameOf([machineOf("web1", { differs })]), SMALL, { ...VIEW, allOpen: true });
  expect(lines.slice(6, 12).map((line) => line.trim())).toEqual([
    expect.stringMatching(/^vCPU 0 +\[·+\] +0\.0% +steal +0\.0% +on CPU 3$/),
    expect.stringMatching(/^vCPU 1 .*on CPU 0$/),
    "memory   2G of 4G, guest uses 1.5G of 2G (75%), host 1G",
    "net tap0   in 0/s, out 0/s",
    "note     drift: vcpu-pin 0",
    "process  100, QEMU answered 1s ago",
  ]);
});

describe("keys", () => {
  const frame = frameOf(many);
  const press = (...keys: readonly string[]): View => keys.reduce((view, key) => pressed(view, key, frame, 18).view, VIEW as View);
  const names = (view: View): readonly string[] =>
    drawn(frame, SMALL, view)
      .slice(5, 8)
      .map((line) => line.slice(2).split(" ")[0] ?? "");

  test("sort, the most first, and reverse", () => {
    expect(names(VIEW)).toEqual(["web1", "web2", "web3"]);
    expect(names(press("r"))).toEqual(["web50", "web49", "web48"]);
    expect(names(press("c", "n"))).toEqual(["web1", "web2", "web3"]);
    expect(press("m").order).toBe("memory");
  });

  test("narrow while it is typed; Escape shows all again", () => {
    expect(names(press("/", "4", "9"))).toEqual(["web49", "", ""]);
    expect(names(press("/", "4", "9", "backspace"))).toEqual(["web4", "web14", "web24"]);
    expect(names(press("/", "4", "9", "enter"))).toEqual(["web49", "", ""]);
    expect(names(press("/", "4", "9", "enter", "escape"))).toEqual(["web1", "web2", "web3"]);
    expect(names(press("/", "4", "9", "escape"))).toEqual(["web1", "web2", "web3"]);
    // What is typed are no keys.
    expect(press("/", "q", " ").typing).toBe("q ");
  });

  test("scroll as far as there is something", () => {
    const at = (view: View): string => drawn(frame, SMALL, view).find((line) => line.startsWith("> ")) ?? "";
    expect(at(press("down", "down"))).toContain("web3 ");
    expect(at(press("pagedown"))).toContain("web19 ");
    expect(at(press("end"))).toContain("web50 ");
    expect(at(press("end", "down", "down"))).toContain("web50 ");
    expect(at(press("end", "pageup", "home"))).toContain("web1 ");
    expect(drawn(frame, SMALL, press("end"))[23]).toMatch(/50 of 50$/);
  });

  test("the selected domain stays selected where the order changes, and is shown", () => {
    const view = press("down", "down", "r");
    expect(drawn(frame, SMALL, view).find((line) => line.startsWith("> "))).toContain("web3 ");
  });

  test("open one, open all, close one of all", () => {
    const opened = (view: View): number => drawn(frame, { ...SMALL, rows: 400 }, view).filter((line) => line.includes("vCPU 0")).length;
    expect([opened(VIEW), opened(press("enter")), opened(press("v")), opened(press("v", "enter")), opened(press("v", "v"))]).toEqual([
      0, 1, 50, 49, 0,
    ]);
  });

  test("pause, change the time, ask for help, stop, quit", () => {
    expect(press(" ").isPaused).toBe(true);
    expect(press(" ", " ").isPaused).toBe(false);
    expect([press("+").every, press("-").every, press(...Array<string>(20).fill("-")).every]).toEqual([2000, 500, 20]);
    expect(press("h").help).toBe(true);
    expect(press("h", "x").help).toBe(false);
    for (const key of ["q", "^C", "^D"]) expect(pressed(VIEW, key, frame, 1).act).toBe("quit");
    expect(pressed({ ...VIEW, typing: "x" }, "^C", frame, 1).act).toBe("quit");
    expect(pressed(VIEW, "^Z", frame, 1).act).toBe("stop");
    expect(press("left", "pagedown?", "\u0001")).toEqual(VIEW);
  });
});

test("of those that are stopped, keys leave out and show", () => {
  const stopped: Partial<MachineSample> = { state: "stopped", cpuTime: null, vcpus: [], nets: [] };
  const { pid: _, ...off } = machineOf("off", stopped);
  const frame = frameOf([machineOf("on"), off]);
  expect(drawn(frame, SMALL)[5]).toContain("off         stopped       -");
  expect(drawn(frame, SMALL, pressed(VIEW, "i", frame, 1).view).slice(5, 7)).toEqual([expect.stringMatching(/^> on /), ""]);
});
