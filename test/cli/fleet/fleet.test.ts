import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { verbs } from "../../../src/cli/command.ts";
import { ChangeError } from "../../../src/domain/change/errors.ts";
import type { Domain, Facade, MonitorEvent } from "../../../src/domain/facade.ts";
import type { DomainInfo } from "../../../src/domain/views/inspect.ts";
import { UsageError } from "../../../src/errors.ts";
import { LostError, UnreachableError } from "../../../src/remote/errors.ts";
import type { Crew } from "../../../src/remote/fleet/crew.ts";
import { type FakeDomain, fakes, infoOf, obeys, plannedReport } from "../../remote/fleet/crew-of-fakes.ts";
import { monitorOf, play, type Played, reportOf, type Stage } from "../scene.ts";

type Hosts = Parameters<typeof fakes>[0];

async function over(hosts: Hosts, words: readonly string[], stage: Stage = {}): Promise<Played & { readonly calls: readonly string[] }> {
  const { crew, calls } = fakes(hosts);
  return { ...(await play(words, { ...stage, crew })), calls };
}

const gone = new UnreachableError("kvm3", "timeout", "no answer");
const three = (domain: FakeDomain): Hosts => ({ kvm1: { web1: domain }, kvm2: { web1: domain }, kvm3: { web1: domain } });
const many = ["-H", "kvm[1-3]"];

/** Says so much of itself, under a name of its own. */
const says = (text: string): FakeDomain => ({ config: async () => text });

describe("a change", () => {
  test("equal outcomes are one line, with the hosts as ranges", async () => {
    const { code, stdout, stderr } = await over(three(obeys), [...many, "setmem", "web*", "300M", "--both"]);
    expect([code, stdout, stderr]).toEqual([0, "kvm[1-3]/web1: applied memory 1GiB -> 300MiB\n", ""]);
  });

  test.each([
    ["an address with a list", ["setmem", "ssh://kvm[1-3]/web1", "300M"]],
    ["an address with a pattern", ["setmem", "ssh://kvm1/web*", "300M"]],
    ["a pattern with one host", ["-H", "kvm1", "setmem", "web?", "300M"]],
    ["the options behind the verb", ["-H", "kvm1", "setmem", "web1", "300M", "--where-possible"]],
    ["and with a value", ["-H", "kvm1", "setmem", "web1", "300M", "--at-once=2", "--stop-after", "3"]],
    ["in front of -H", ["--at-once", "2", "-H", "kvm1", "setmem", "web1", "300M"]],
    ["behind -H", ["-H", "kvm1", "--stop-after=2", "--where-possible", "setmem", "web1", "300M"]],
    ["for an address", ["--where-possible", "setmem", "ssh://kvm1/web1", "300M"]],
  ])("is one of many by %s", async (_, words) => {
    expect((await over(three(obeys), words)).stdout).toBe("kvm[1-3]/web1: applied memory 1GiB -> 300MiB\n");
  });

  test("a refusal is told with its reason, and nothing was touched", async () => {
    const { code, stdout, stderr, calls } = await over({ kvm1: { web1: obeys }, kvm2: {}, kvm3: gone }, [
      ...many,
      "setmem",
      "web1",
      "300M",
    ]);
    expect(code).toBe(3);
    expect(stdout).toBe(
      "kvm1/web1: planned, not touched\n" +
        "kvm2/web1: refused: /etc/qmpctl/web1.json: there is no such config; qmpctl -H kvm2 list --all shows all domains\n" +
        "kvm3/web1: unreachable: no answer\n",
    );
    expect(stderr).toBe("qmpctl: refused: nothing was touched anywhere; --where-possible does what can be done\n");
    expect(calls.filter((call) => !call.endsWith("(dry run)"))).toEqual([]);
  });

  test("what failed stands alone with its commands, and what was applied elsewhere has the way back as one command", async () => {
    const back = (host: string): FakeDomain => ({
      change: async (_, { dryRun }) =>
        reportOf(dryRun === true ? plannedReport : { takeBack: `qmpctl setmem ssh://${host}/web1 1GiB --static --dynamic` }),
    });
    const fails: FakeDomain = {
      change: async (_, { dryRun }) => {
        if (dryRun === true) return reportOf(plannedReport);
        const [change] = reportOf().changes;
        if (change === undefined) throw new Error("none");
        const dynamic = { ...change.dynamic, outcome: "failed" as const, actual: 2 ** 29 };
        throw new ChangeError(
          reportOf({ outcome: "failed", changes: [{ ...change, dynamic }], finish: "qmpctl setmem ssh://kvm3/web1 300MiB --dynamic" }),
          "the guest did not answer",
          { cause: 0 },
        );
      },
    };
    const hosts = { kvm1: { web1: back("kvm1") }, kvm2: { web1: back("kvm2") }, kvm3: { web1: fails }, kvm4: { web1: obeys } };
    const { code, stdout, stderr } = await over(hosts, ["-H", "kvm[1-4]", "--at-once", "1", "setmem", "web1", "300M", "--both"]);
    expect(code).toBe(4);
    expect(stdout).toBe(
      "kvm[1,2]/web1: applied memory 1GiB -> 300MiB\n" +
        "  to undo it:  qmpctl -H 'kvm[1,2]' setmem web1 1GiB --static --dynamic\n" +
        "kvm3/web1: failed: the guest did not answer\n" +
        "  to finish it:  qmpctl setmem ssh://kvm3/web1 300MiB --dynamic\n" +
        "kvm4/web1: not begun\n",
    );
    expect(stderr).toBe("qmpctl: 1 of 4 failed, and something is not as it was or is not known\n");
  });

  test("what is lost has the command that asks for it", async () => {
    const lost: FakeDomain = {
      change: async (_, { dryRun }) => {
        if (dryRun === true) return reportOf(plannedReport);
        throw new LostError("kvm1", "the connection ended", "0123456789");
      },
    };
    const { code, stdout } = await over({ kvm1: { web1: lost } }, ["-H", "kvm1", "setmem", "web*", "300M"]);
    expect([code, stdout]).toEqual([4, "kvm1/web1: lost: the connection ended\n  to ask for it:  qmpctl -H kvm1 outcome 0123456789\n"]);
  });

  test("--json is one object with each target once; errors by their evidence", async () => {
    const { code, stdout } = await over({ kvm1: { web1: obeys }, kvm2: {}, kvm3: gone }, [
      ...many,
      "setmem",
      "web*",
      "300M",
      "--where-possible",
      "--json",
    ]);
    expect(code).toBe(1);
    expect(stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(stdout)).toEqual({
      outcome: "failed",
      unmatched: ["kvm2"],
      elapsed: expect.any(Number) as number,
      targets: [
        {
          host: "kvm1",
          domain: "web1",
          outcome: "applied",
          report: expect.objectContaining({ outcome: "applied" }) as object,
          takeBack: "qmpctl setmem x 1GiB --static --dynamic",
        },
        {
          host: "kvm3",
          domain: null,
          outcome: "unreachable",
          error: { code: "connect", message: "kvm3: no answer", host: "kvm3", why: "timeout", lastWords: "" },
        },
      ],
    });
  });

  test("a dry run says what would be done", async () => {
    const { code, stdout } = await over(three(obeys), [...many, "setmem", "web1", "300M", "--dry-run"]);
    expect([code, stdout]).toEqual([0, "kvm[1-3]/web1: planned memory 1GiB -> 300MiB\n"]);
  });

  test("standard input is read once for all", async () => {
    const wanted: unknown[] = [];
    const applies: FakeDomain = {
      apply: async (given, { dryRun }) => (wanted.push(given), reportOf(dryRun === true ? plannedReport : {})),
    };
    const { code } = await over(three(applies), [...many, "apply", "web1", "-"], {
      stdin: Readable.from(['{"memory": {"current": "300MiB"}}']),
    });
    expect([code, wanted.length, new Set(wanted.map((each) => JSON.stringify(each))).size]).toEqual([0, 6, 1]);
  });

  test("an action is told by what it did; what a verb says besides stays with its target", async () => {
    const runs: FakeDomain = {
      info: async () => infoOf("running"),
      shutdown: async () => ({ name: "web1", how: "the guest powered off", elapsed: 3 }),
    };
    const stopped: FakeDomain = { info: async () => infoOf("stopped") };
    const { stdout, code } = await over({ kvm1: { web1: runs }, kvm2: { web1: runs }, kvm3: { web1: stopped } }, [
      ...many,
      "shutdown",
      "web1",
    ]);
    expect([code, stdout]).toEqual([0, "kvm[1,2]/web1: the guest powered off\nkvm3/web1: unchanged\n"]);
    const absent: FakeDomain = {
      change: async (_, { dryRun }) =>
        reportOf(
          dryRun === true
            ? plannedReport
            : {
                changes: reportOf().changes.map((each) => ({
                  ...each,
                  static: { ...each.static, before: null },
                  dynamic: { ...each.dynamic, before: null },
                })),
              },
        ),
    };
    expect((await over(three(absent), [...many, "detach", "web1", "d1"])).stdout).toContain("  note: there was no device d1\n");
  });

  test("what is so already is told with what the verb says of it", async () => {
    const absent = reportOf({
      outcome: "planned",
      changes: reportOf().changes.map((each) => ({
        ...each,
        static: { ...each.static, before: null, outcome: "unchanged" },
        dynamic: { ...each.dynamic, before: null, outcome: "unchanged" },
      })),
    });
    const { stdout } = await over(three({ change: async () => absent }), [...many, "detach", "web1", "d1"]);
    expect(stdout).toBe("kvm[1-3]/web1: unchanged\n  note: there was no device d1\n");
  });

  test("a command in what is said of several is one for all of them", async () => {
    const stopped: FakeDomain = { info: async () => infoOf("stopped") };
    const { stdout } = await over({ kvm1: { web1: stopped }, kvm2: { web1: stopped } }, ["-H", "kvm[1,2]", "suspend", "web1"]);
    expect(stdout).toBe("kvm[1,2]/web1: refused: it does not run; qmpctl -H 'kvm[1,2]' start web1 starts it\n");
    const mixed = await over({ kvm1: { web1: stopped, web2: stopped } }, ["-H", "kvm1", "suspend", "web*"]);
    expect(mixed.stdout).toBe("kvm1/web[1,2]: refused: it does not run; qmpctl -H kvm1 start DOMAIN starts it\n");
  });
});

describe("who reads", () => {
  test("hears equal answers once, below the names of all that gave them", async () => {
    const { code, stdout, stderr } = await over(
      { kvm1: { web1: says("a\n") }, kvm2: { web1: says("b\n") }, kvm3: { web1: says("a\n") }, kvm4: gone, kvm5: {} },
      ["-H", "kvm[1-5]", "config", "web*"],
    );
    expect([code, stdout]).toEqual([1, "kvm[1,3]/web1:\na\n\nkvm2/web1:\nb\n"]);
    expect(stderr).toBe("qmpctl: kvm4: kvm3: no answer\nnote: no such domain on kvm5\n");
  });

  test("with --json each answer as the verb gives it, and the errors", async () => {
    const info = async (): Promise<DomainInfo> => ({ ...infoOf("running"), uptime: 2n ** 60n }) as unknown as DomainInfo;
    const { code, stdout } = await over({ kvm1: { web1: { info } }, kvm3: gone }, ["-H", "kvm1,kvm3", "info", "web1", "--json"]);
    expect(code).toBe(1);
    expect(stdout).toContain(`"uptime":${2n ** 60n}`);
    expect(JSON.parse(stdout)).toEqual([
      { host: "kvm1", domain: "web1", value: expect.objectContaining({ state: "running" }) as object },
      { host: "kvm3", domain: "web1", error: expect.objectContaining({ code: "connect", why: "timeout" }) as object },
    ]);
  });

  test("sees the domains of all hosts in one table", async () => {
    const { code, stdout, stderr } = await over({ kvm1: { web1: {}, db1: {} }, kvm2: { web1: {} }, kvm3: gone }, [
      ...many,
      "list",
      "--all",
    ]);
    expect(code).toBe(1);
    expect(stdout).toBe(
      "at    name  state    pid  vCPUs  memory\n" +
        "kvm1  web1  running    -      -       -\n" +
        "kvm1  db1   running    -      -       -\n" +
        "kvm2  web1  running    -      -       -\n",
    );
    expect(stderr).toBe("qmpctl: kvm3: no answer\n");
    const { stdout: json } = await over({ kvm1: { web1: {} }, kvm3: gone }, ["-H", "kvm1,kvm3", "list", "--json"]);
    expect(JSON.parse(json)).toMatchObject([
      { host: "kvm1", domain: "web1", value: { state: "running" } },
      { host: "kvm3", domain: null, error: { code: "connect" } },
    ]);
  });

  const event = (name: string): MonitorEvent => ({ event: name, timestamp: { seconds: 1, microseconds: 0 } });
  const brings = (events: readonly string[], end: Error): FakeDomain => ({
    connect: (async () => monitorOf(events.map(event), end)) as unknown as Domain["connect"],
  });

  test("has the events of all, each with whose it is, until all have ended; one that is lost does not stop the others", async () => {
    const lost = new UnreachableError("kvm1", "other", "gone");
    const { code, stdout, stderr } = await over(
      { kvm1: { web1: brings(["STOP"], lost) }, kvm2: { web1: brings(["RESUME", "STOP"], lost) } },
      ["-H", "kvm[1,2]", "events", "web1"],
    );
    expect(code).toBe(1);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as MonitorEvent & { readonly host: string });
    expect(events.map(({ host, event: name }) => `${host} ${name}`).toSorted()).toEqual(["kvm1 STOP", "kvm2 RESUME", "kvm2 STOP"]);
    expect(stdout).toContain('{"host":"kvm1","domain":"web1","event":"STOP"');
    expect(stderr).toContain("qmpctl: kvm1/web1: gone\n");
  });

  test("counts the events of all together", async () => {
    const never = new Error("never");
    const { code, stdout } = await over({ kvm1: { web1: brings(["STOP", "STOP"], never) }, kvm2: { web1: brings(["STOP"], never) } }, [
      "-H",
      "kvm[1,2]",
      "events",
      "web1",
      "--count",
      "2",
    ]);
    expect([code, stdout.trim().split("\n").length]).toEqual([0, 2]);
  });

  test("finds the outcome of a key wherever it is", async () => {
    const { crew } = fakes({ kvm1: {}, kvm2: {} });
    const knows = {
      ...crew,
      dial: async (member: Parameters<typeof crew.dial>[0]) => ({
        ...(await crew.dial(member)),
        facade: {
          ...(await crew.dial(member)).facade,
          outcome: async () => (member.name === "kvm2" ? { state: "done" as const, value: reportOf() } : { state: "unknown" as const }),
        },
      }),
    };
    const { code, stdout } = await play(["-H", "kvm[1,2]", "outcome", "0123456789"], { crew: knows });
    expect([code, stdout.split("\n")[0]]).toEqual([0, "kvm2:"]);
    expect(stdout).toContain("1GiB -> 300MiB");
  });
});

test.each(Object.keys(verbs))("%s over many hosts is done there, or refused: nothing is done here", async (name) => {
  const verb = (await verbs[name]?.())?.verb;
  if (verb === undefined || verb.operands.names[0] === "DOMAIN" || ["list", "define", "outcome"].includes(name)) return;
  const words = verb.operands.names.map((operand) => verb.operands.words?.[0] ?? operand);
  const { code, stderr } = await over(three(obeys), [...many, name, ...words]);
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(
      ["metrics", "top", "import"].includes(name) ? `${name}: is of one host; expected -H with one host` : `${name}: is of this host`,
    ),
  ]);
});

describe("a line that is wrong asks nobody", () => {
  test.each([
    [[...many, "define", "--running"], "define: is of one host; expected -H with one host"],
    [[...many, "setmem", "web1"], "SIZE: missing"],
    [[...many, "setmem", "web1", "abc"], 'size "abc": not a whole number with a unit'],
    [[...many, "setmem"], "DOMAIN: missing"],
    [[...many, "qmp", "web1"], "the shell talks with one machine"],
    [[...many, "define", "--pid", "4"], "define --pid 4: a process is of one host"],
    [[...many, "types", "--emulator", "/nonexistent/qemu"], "DOMAIN: missing"],
    [[...many, "--at-once", "0", "list"], "--at-once 0: give 1 or more"],
    [[...many, "list", "--stop-after"], "--stop-after: a value is missing"],
    [["setmem", "web1", "1G", "--where-possible"], "--where-possible: of which host? -H HOST is missing"],
    [["--at-once", "3", "list"], "--at-once: of which host? -H HOST is missing"],
    [["info", "ssh://kvm[1-3]/a%2"], "a % that is no encoded character"],
    [[...many, "info", "db*"], "db*: it matches no domain of any of 3 hosts"],
  ])("%j", async (words, message) => {
    const { code, stderr, calls } = await over(three(obeys), words);
    expect([code, calls]).toEqual([2, []]);
    expect(stderr).toContain(message);
  });
});

describe("what only the far end knows to be wrong with a line", () => {
  const wrong = (host: string): FakeDomain => ({
    info: () => Promise.reject(new UsageError(`name "a'b" ${host}: not a domain's name`, { value: "a'b", expected: "a name" })),
  });

  test("is told once where all say it, as by one host", async () => {
    const { code, stdout, stderr } = await over(three(wrong("")), [...many, "info", "web1"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^qmpctl: name "a'b" : not a domain's name; expected a name\nusage: qmpctl info DOMAIN/);
  });

  test("so it is with what hosts themselves are asked", async () => {
    const { crew } = fakes({ kvm1: {}, kvm2: {} });
    const { code, stdout, stderr } = await play(["-H", "kvm[1,2]", "outcome", "abc"], { crew: withOutcome(crew, noKey) });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^qmpctl: key "abc": not a key/);
  });

  test("is a trouble of each where another one has an answer, or says something else", async () => {
    const others = await over({ kvm1: { web1: wrong("") }, kvm2: { web1: {} } }, ["-H", "kvm[1,2]", "info", "web1"]);
    expect([others.code, others.stdout]).toEqual([1, expect.stringContaining("kvm2/web1:\n")]);
    const two = await over({ kvm1: { web1: wrong("1") }, kvm2: { web1: wrong("2") } }, ["-H", "kvm[1,2]", "info", "web1"]);
    expect([two.code, two.stderr.split("qmpctl: ").length]).toEqual([1, 3]);
  });
});

const noKey = async (): Promise<never> => Promise.reject(new UsageError('key "abc": not a key', { value: "abc", expected: "a key" }));

/** The same hosts, which answer so when they are asked for an outcome. */
function withOutcome(crew: Crew, outcome: Facade["outcome"]): Crew {
  return { ...crew, dial: async (member) => ({ ...(await crew.dial(member)), facade: { ...(await crew.dial(member)).facade, outcome } }) };
}

test("on a terminal it is said how far it has come, and on a pipe nothing is", async () => {
  const { stderr } = await over(three(obeys), [...many, "setmem", "web1", "300M"], { columns: 80 });
  expect(stderr).toContain("3 of 3 hosts planned");
  expect(stderr).toContain("3 of 3 done");
});

test("fits a narrow terminal, and has no colours where none are wanted", async () => {
  const hosts = { kvm1: { web1: obeys }, kvm2: {}, kvm3: gone };
  const words = [...many, "setmem", "web*", "300M", "--where-possible"];
  const { stdout } = await over(hosts, words, { columns: 40, env: { NO_COLOR: "1" } });
  const longest = Math.max(...stdout.split("\n").map((line) => line.length));
  expect([longest <= 40, stdout.includes("\u001b")]).toEqual([true, false]);
  expect((await over(hosts, words, { columns: 80 })).stdout).toContain("\u001b[32mapplied\u001b[39m");
});
