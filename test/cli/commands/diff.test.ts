import { describe, expect, test } from "vitest";
import { allRows } from "../../../src/cli/schema/answers.ts";
import { CHANGED, type DiffRow } from "../../../src/domain/resources/row.ts";
import type { DomainInfo } from "../../../src/domain/views/inspect.ts";
import { HostError } from "../../../src/errors.ts";
import { faultOf } from "../../../src/shape.ts";
import { play, type Stage } from "../scene.ts";

const same: DiffRow = { resource: "vcpus", config: 2, live: 2, guest: null, why: null };
const other: DiffRow = { resource: "vcpus", config: 2, live: 3, guest: null, why: CHANGED };
const info = (name: string, state: DomainInfo["state"] = "running", reason?: string): DomainInfo => ({
  ...{ name, state, transient: false },
  ...(reason === undefined ? {} : { reason }),
});

/** What is there, each with what its diff says. */
function stage(domains: Readonly<Record<string, readonly DiffRow[] | Error | DomainInfo>>): Stage {
  return {
    facade: {
      list: async () => Object.entries(domains).map(([name, it]) => ("state" in it ? it : info(name))),
      open: async (name) =>
        ({
          name,
          info: async () => info(name),
          async diff() {
            const rows = domains[name] ?? [];
            if (rows instanceof Error) throw rows;
            return rows;
          },
          async [Symbol.asyncDispose]() {},
        }) as never,
    },
  };
}

describe("diff --exit-code", () => {
  test.each([
    ["nothing differs", { web1: [same] }, 0],
    ["something differs", { web1: [same, other] }, 1],
    ["the host refuses", { web1: new HostError("web1: no") }, 3],
  ])("%s", async (_, domains, code) => {
    expect((await play(["diff", "web1", "--exit-code"], stage(domains))).code).toBe(code);
    expect((await play(["diff", "--all", "--exit-code"], stage(domains))).code).toBe(code);
  });

  test("without it what differs is no failure, and what can't be known is", async () => {
    expect((await play(["diff", "web1"], stage({ web1: [other] }))).code).toBe(0);
    expect((await play(["diff", "--all"], stage({ web1: [other] }))).code).toBe(0);
    expect((await play(["diff", "--all"], stage({ web1: new HostError("web1: no") }))).code).toBe(1);
  });

  test("of a machine that does not answer is 3: 1 would say that it differs", async () => {
    const domain = { diff: async () => [{ ...same, live: null }], info: async () => info("web1", "unreachable", "silent") };
    expect((await play(["diff", "web1", "--exit-code"], { domain })).code).toBe(3);
    expect((await play(["diff", "web1"], { domain })).code).toBe(1);
  });
});

describe("diff --all", () => {
  const domains = { web1: [same, other], web2: [same], bad: info("bad", "damaged", "no JSON"), web3: new HostError("web3: no") };

  test("shows what differs, and names who can't be looked at", async () => {
    const { code, stdout, stderr } = await play(["diff", "--all", "--exit-code"], stage(domains));
    expect(code).toBe(3);
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      "domain  resource  config  live  guest  why",
      "web1    vcpus          2     3      -  changed on one side only",
      "",
    ]);
    expect(stderr).toBe("qmpctl: bad: damaged: no JSON\nqmpctl: web3: no\n");
  });

  test("has all rows for a program", async () => {
    const told = JSON.parse((await play(["diff", "--all", "--json"], stage(domains))).stdout) as unknown;
    expect(faultOf(allRows, told)).toBeUndefined();
    expect(told).toEqual([
      { domain: "web1", rows: [same, other] },
      { domain: "web2", rows: [same] },
      { domain: "bad", error: { code: "damaged", message: "damaged: no JSON" } },
      { domain: "web3", error: { code: "host", message: "no" } },
    ]);
  });

  test("says that nothing differs", async () => {
    expect((await play(["diff", "--all"], stage({ web1: [same], web2: [same] }))).stdout).toBe("nothing differs in 2 domains\n");
  });

  test("and a domain, or neither, is a mistake", async () => {
    expect((await play(["diff", "--all", "web1"])).stderr).toContain("give only one");
    expect((await play(["diff"])).stderr).toContain("DOMAIN: missing");
  });
});
