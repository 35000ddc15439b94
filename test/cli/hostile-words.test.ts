import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { run, verbs } from "../../src/cli/command.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import type { Report } from "../../src/domain/change/change-report.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import type { Domain, Facade, Monitor } from "../../src/domain/facade.ts";
import type { RunningQemu } from "../../src/domain/lifecycle/running/running-qemu.ts";
import { StateError } from "../../src/domain/model/errors.ts";
import { HostError, QmpctlError } from "../../src/errors.ts";
import { CommandError } from "../../src/qmp/errors.ts";
import { ALONE } from "./alone.ts";
import { ioOf, livesOf, monitorOf, reportOf } from "./scene.ts";
import { hostileSample } from "./top/samples.ts";

/** What somebody else can call his things: a title, a cleared screen, 8-bit commands, turned text, and lines that pass for ours. */
const EVIL = "a\u001b]0;title\u0007\u001b[2J\u009b2J\u009d0;t\u009c\r\u0008\n@FAKE done\n\u2028@FAKE\u202eb\u2066\u200f\ufeff\u007f\u0000z";
const error = new QmpctlError("host", `web1: ${EVIL}`, { cause: new Error(EVIL) });

const leg = { outcome: "failed", before: EVIL, wanted: `${EVIL}1`, actual: EVIL, reason: EVIL } as const;
const report: Report = reportOf({
  domain: EVIL,
  outcome: "pending",
  changes: [
    { change: { resource: "vcpu-pin", vcpu: 0, cpus: EVIL }, static: leg, dynamic: { ...leg, outcome: "pending", reason: `${EVIL} too` } },
  ],
  steps: [
    { what: EVIL, sends: EVIL, undo: EVIL, outcome: "planned" } as never,
    { what: EVIL, sends: EVIL, noUndo: EVIL, outcome: "planned" } as never,
  ],
  notes: [EVIL],
  finish: EVIL,
  takeBack: EVIL,
  config: {
    path: EVIL,
    before: `{\n  "name": ${JSON.stringify(EVIL)}\n}\n`,
    after: `{\n  "name": "${EVIL.replace(/[\u0000-\u001f]/g, "")}"\n}\n`,
  },
});
const planned: Report = { ...report, outcome: "planned" };
const refused = new RefusedError({ ...report, outcome: "refused", refusals: [{ leg: "dynamic", reason: EVIL, instead: EVIL }] });
const rolledBack = new ChangeError({ ...report, outcome: "failed" }, EVIL, { cause: error });

const info = {
  name: EVIL,
  state: "unreachable",
  reason: EVIL,
  transient: true,
  pid: 1,
  emulator: EVIL,
  version: EVIL,
  configPath: EVIL,
  interrupted: EVIL,
  ended: { at: EVIL, why: EVIL },
  uptime: 1,
} as never;
const started = { name: EVIL, pid: 1, vcpus: 1, memory: 2 ** 20, notes: [EVIL], how: EVIL, elapsed: 5 } as never;
const events = [
  { event: EVIL, data: { device: EVIL }, timestamp: { seconds: 1, microseconds: 0 } },
  { event: "SHUTDOWN", data: { reason: EVIL }, timestamp: { seconds: 1, microseconds: 0 } },
];
const config = `{\n  "name": "${EVIL.replace(/[\u0000-\u001f]/g, "")}"\n}`;

const HALF = { outcome: "applied", before: null, wanted: 1, actual: 1 } as const;

function monitor(answer: unknown): Monitor {
  return {
    ...monitorOf(events, new QmpctlError("closed", EVIL)),
    execute: async () => answer,
    exchange: async () => ({ error: { class: EVIL, desc: EVIL } }),
  };
}

/** A machine that does all that is asked of it, and one that fails at all, in each kind of error. */
function domains(): readonly Partial<Domain>[] {
  const works: Partial<Domain> = {
    name: EVIL,
    change: async () => report,
    revert: async () => planned,
    persist: async () => report,
    apply: async () => planned,
    recover: async () =>
      ({
        domain: EVIL,
        reports: [report],
        restoredConfig: true,
        lost: EVIL,
        dryRun: false,
        how: "undo",
        settled: [],
        action: { done: EVIL },
      }) as never,
    info: async () => info,
    vcpus: async () => [{ vcpu: 0, online: true, tid: 1, name: EVIL, cpu: 0, cpuTime: 1, affinity: EVIL, pin: EVIL }],
    diff: async () => [{ resource: "vcpu-pin 0", config: EVIL, live: EVIL, guest: EVIL, why: EVIL }] as never,
    memory: async () =>
      ({
        ...{ name: EVIL, state: "running", balloon: null, why: EVIL, hostDenied: EVIL },
        guest: { figures: { [EVIL]: 1, "oom-kills": null }, at: 1, age: EVIL, period: 5 },
      }) as never,
    history: async () => ({
      entries: [
        {
          ...{ key: EVIL, what: "change", domain: EVIL, began: EVIL, ended: EVIL, outcome: "failed", about: EVIL },
          who: { uid: 1, user: EVIL, sudo: EVIL, from: EVIL, program: [EVIL], pid: 1 },
          changes: [{ name: EVIL, resource: "vcpu-pin", static: { ...HALF, before: EVIL }, dynamic: { ...HALF, wanted: EVIL } }],
        },
      ],
      unreadable: 1,
    }),
    config: async () => config,
    ...livesOf(started),
    connect: async () => monitor({ [EVIL]: EVIL }),
  };
  const errors = [
    error,
    refused,
    rolledBack,
    new StateError(EVIL, "stopped"),
    new ConfigError(EVIL, "missing", EVIL),
    new CommandError(EVIL, { class: EVIL, desc: EVIL }),
    new HostError(EVIL, { stderr: EVIL }),
    new TypeError(EVIL.replaceAll("\n", "")),
  ];
  const failing = errors.map((each): Partial<Domain> => ({
    name: EVIL,
    ...Object.fromEntries(Object.keys(works).flatMap((key) => (key === "name" ? [] : [[key, () => Promise.reject(each)]]))),
  }));
  return [
    works,
    { ...works, diff: async () => [{ resource: "memory", config: null, live: null, guest: null, why: EVIL }], vcpus: async () => [] },
    { ...works, connect: async () => monitor(`${EVIL}\r\n`) },
    ...failing,
  ];
}

/** Each verb with words that it takes; typed ones are hostile too. */
const LINES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  define: [[EVIL], ["--", EVIL], [EVIL, "--name", EVIL], ["--pid", EVIL], ["--running"], ["--running", EVIL]],
  import: [[EVIL], ["libvirt", EVIL], ["proxmox", EVIL, "--name", EVIL], ["libvirt", "--from-file", `/nonexistent/${EVIL}`]],
  list: [[], ["--all"], ["--timeout", EVIL], ["--running"]],
  setmem: [
    [EVIL, "1M"],
    ["web1", EVIL],
    [EVIL, "1M", "--dry-run"],
    ["web1", "1M", "--on-failure", EVIL],
    ["web1", "1M", `--${EVIL}`],
  ],
  setmaxmem: [[EVIL, "1M"]],
  setvcpus: [
    [EVIL, "1"],
    ["web1", EVIL],
  ],
  stats: [[EVIL]],
  top: [["--sort", EVIL], [`ssh://${EVIL}`], ["--every", EVIL], ["--once", "--every", "20ms"]],
  metrics: [["--write", `/nonexistent/${EVIL}`], [EVIL]],
  edit: [[EVIL]],
  history: [[EVIL], ["web1", "-n", EVIL], ["web1", "--since", EVIL]],
  memstat: [[EVIL], ["web1", "--period", EVIL]],
  // Not without --dry-run: that takes a lock, and goes on.
  balance: [
    [EVIL, "--once", "--dry-run"],
    ["--once", "--dry-run"],
    ["--every", EVIL],
    ["--keep-free", EVIL],
  ],
  vcpupin: [[EVIL], [EVIL, "0", EVIL], ["web1", EVIL]],
  apply: [
    [EVIL, EVIL],
    [EVIL, "-"],
  ],
  recover: [
    [EVIL, "--undo"],
    [EVIL, "--finish"],
  ],
  qmp: [[EVIL, EVIL], [EVIL, "query-status"], [EVIL, "--hmp", EVIL], [EVIL, '{"execute":"x"}'], ["web1", EVIL, EVIL], [EVIL]],
  events: [[EVIL], [EVIL, EVIL]],
  types: [[EVIL], ["--emulator", EVIL]],
  completion: [[EVIL], ["bash"]],
};

/** A byte that a terminal would obey, or not show. Our own colours and moves are taken out first. */
const OBEYED = /[\u0000-\u0008\u000b-\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\r(?!\n)/u;
const OURS = /\u001b\[(?:\d+m|K)|\r\u001b\[K/g;

interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** A QEMU whose command line is a stranger's. */
const qemu: RunningQemu = {
  ...{ pid: 1, uid: 2, user: EVIL, name: EVIL, uuid: EVIL, keeper: "libvirt", keptAs: EVIL, proofs: [EVIL], isSure: false },
  ...{ monitors: [{ address: EVIL, state: "held", holders: [3] }], can: "force", advice: EVIL },
};

async function said(
  argv: readonly string[],
  can: Partial<Domain>,
  columns: number | undefined,
  stdin = '{"memory":{"current":"1M"}}',
): Promise<Said> {
  const typed = new PassThrough();
  typed.end(stdin);
  const io = { ...ioOf({ ...(columns === undefined ? {} : { columns }), env: { QMPCTL_CONFIG_DIR: "/proc/none" } }), stdin: typed };
  const domain = { ...can, [Symbol.asyncDispose]: async () => {} } as Domain;
  const fails =
    can.info?.({}).then(
      () => undefined,
      (reason: unknown) => reason,
    ) ?? undefined;
  const reason = await fails;
  const outcome = async <T>(value: T): Promise<T> => {
    if (reason !== undefined) throw reason;
    return value;
  };
  const facade: Facade = {
    open: async () => domain,
    define: () => outcome({ domain: { name: EVIL, configPath: EVIL }, notes: [EVIL] }),
    sample: () => outcome(hostileSample(EVIL)),
    outcome: () => outcome({ state: "failed", failure: { message: EVIL } }),
    running: () => outcome([qemu]),
    adopt: () => outcome([{ pid: 1, name: EVIL, outcome: "refused", why: EVIL, path: EVIL, notes: [EVIL] }]),
    takeOver: () => outcome({ name: EVIL, path: EVIL, config: JSON.stringify({ name: EVIL }), notes: [EVIL] }),
    list: () =>
      outcome([info, { name: EVIL, state: "running", transient: false, live: { memory: 1, vcpus: 1, maxMemory: 1, maxVcpus: 1 } }]),
  };
  const code = await run(argv, { io, facade, ...ALONE, version: async () => "1" });
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

/** What a run let through: nothing, where all is well. */
function harmIn({ stdout, stderr }: Said, mayHaveLines: boolean): readonly string[] {
  return [stdout, stderr].flatMap((text) => {
    const left = text.replace(OURS, "");
    const at = left.search(OBEYED);
    const fake = mayHaveLines ? -1 : left.search(/(^|\n)\s*@FAKE/);
    return [
      ...(at < 0 ? [] : [`${JSON.stringify(left.slice(Math.max(0, at - 40), at + 10))}`]),
      ...(fake < 0 ? [] : [`a line of its own: ${JSON.stringify(left.slice(Math.max(0, fake - 60), fake + 10))}`]),
    ];
  });
}

const names = Object.keys(verbs);

describe.each(names)("%s", (verb) => {
  const lines = LINES[verb] ?? [[EVIL]];

  test.each([undefined, 20, 40, 80, 200])("F8: lets nothing through that a terminal obeys (columns: %s)", async (columns) => {
    for (const domain of domains()) {
      for (const words of lines) {
        // A shell in a terminal has a test of its own.
        for (const more of [[], ["--json"]]) {
          const it = await said([verb, ...words, ...more], domain, columns);
          // The human monitor's answers, and the config's own text, have lines; a mistake of ours has a stack.
          const hasLines = words.includes("--hmp") || verb === "config" || it.stderr.includes("internal error");
          expect(harmIn(it, hasLines), JSON.stringify([verb, words, more])).toEqual([]);
          // Nothing comes by the hostile name of an event.
          if (verb !== "events") expect(it.stdout + it.stderr).not.toBe("");
        }
      }
    }
  });

  test("says in JSON what it was told, character by character", async () => {
    for (const domain of domains()) {
      for (const words of lines) {
        const { stdout, code } = await said([verb, ...words, "--json"], domain, undefined);
        // A program in TypeScript, or a script for a shell, is no JSON.
        if (!/^[[{"]/.test(stdout)) continue;
        for (const line of verb === "config" ? [stdout] : stdout.trimEnd().split("\n")) {
          const told = JSON.stringify(JSON.parse(line));
          if (told.includes("title") && verb !== "config") expect(told).toContain(JSON.stringify(EVIL).slice(1, -1).slice(0, 40));
          if (verb === "config" && code === 0) expect(JSON.parse(line)).toEqual(JSON.parse(config));
        }
      }
    }
  });
});

test("a script's results and errors", async () => {
  for (const domain of domains()) {
    for (const words of [
      ["qmp", EVIL],
      ["qmp", EVIL, "--hmp"],
      ["qmp", EVIL, "--json", "--keep-going"],
    ]) {
      const it = await said(words, domain, undefined, `query-status\n{"execute":"x"}\n!info x\n${EVIL.replaceAll("\n", " ")}\n`);
      expect(harmIn(it, words.includes("--hmp") || it.stderr.includes("internal error")), JSON.stringify(words)).toEqual([]);
    }
  }
});

/** What readline draws with, besides: moves and wiping. */
const DRAWN = /\u001b\[\d*(?:;\d+)*[A-HJKm]|\r|\u0007/g;

test("a shell in a terminal: events, answers, errors, completions, and what was typed before", async () => {
  const home = await mkdtemp(join(tmpdir(), "qmpctl-"));
  try {
    await mkdir(join(home, "qmpctl"), { mode: 0o700 });
    await writeFile(join(home, "qmpctl", "history"), `device_del id=${EVIL}\nquery-name\n`, { mode: 0o600 });
    const domain = {
      name: EVIL,
      connect: async () => ({
        ...monitor(EVIL),
        execute: async (command: string) => {
          if (command === "fail") throw new CommandError(EVIL, { class: EVIL, desc: EVIL });
          return command === "qom-list" || command === "query-chardev"
            ? [
                { name: EVIL, label: EVIL, type: "child<x>" },
                { name: "good", label: "good", type: "child<x>" },
              ]
            : command === "query-qmp-schema"
              ? undefined
              : EVIL;
        },
        events: () => monitorOf(events).events(),
      }),
      [Symbol.asyncDispose]: async () => {},
    } as unknown as Domain;
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const io = { ...ioOf({ columns: 80, env: { XDG_STATE_HOME: home, TERM: "xterm" } }), stdin };
    const ended = run(["qmp", "web1"], {
      io,
      facade: { open: async () => domain } as unknown as Facade,
      ...ALONE,
      version: async () => "1",
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (const keys of [
      "query-name\r",
      "fail\r",
      "!info x\r",
      "chardev-remove id=",
      "\t",
      "\t",
      "\u0003",
      "\u001b[A",
      "\u001b[A",
      "\u001b[A",
      "\u001b[A",
      "\u0012",
      "dev",
      "\u0012",
      "\u0003",
      `!${EVIL.replaceAll("\n", "")}\r`,
      "\u0015exit\r",
    ]) {
      stdin.write(keys);
      for (let turns = 0; turns < 20; turns++) await turn();
    }
    stdin.end();
    await ended;
    const drawn = io.stdout.text.replace(DRAWN, "");
    expect(drawn).toContain("chardev-remove id=good");
    expect(drawn).toContain("\\u001b]0;title");
    expect(drawn.search(OBEYED) < 0 ? "" : JSON.stringify(drawn.slice(drawn.search(OBEYED) - 60))).toBe("");
    expect(io.stdout.text).not.toMatch(/\u001b\[2J|\u001b\]/);
    expect(harmIn({ code: 0, stdout: "", stderr: io.stderr.text }, true)).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});

test("help and what is no verb", async () => {
  for (const argv of [
    ["help"],
    ["help", EVIL],
    [EVIL],
    [`--${EVIL}`],
    [`--${EVIL}`, "list"],
    ["-c", EVIL],
    ["stop", EVIL],
    ["reboot", `--domain=${EVIL}`],
    ["__complete", EVIL, EVIL],
  ]) {
    for (const columns of [undefined, 40]) expect(harmIn(await said(argv, {}, columns), false), JSON.stringify(argv)).toEqual([]);
  }
});

test("every verb is tried, and this test sees what it looks for", () => {
  expect(Object.keys(LINES).filter((name) => !names.includes(name))).toEqual([]);
  for (const char of EVIL) if (/[^\x20-\x7e\n\r]/u.test(char)) expect(char).toMatch(OBEYED);
  expect(harmIn({ code: 0, stdout: "\u001b[31mred\u001b[39m\r\n\r\u001b[K", stderr: "x\u009b" }, false)).toHaveLength(1);
  expect(harmIn({ code: 0, stdout: "a\n@FAKE", stderr: "\u001b[2J" }, false)).toHaveLength(2);
});
