import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { verbs } from "../../src/cli/command.ts";
import { type Allowed, checkAllowed, CODE_VERBS, matches } from "../../src/remote/allowed.ts";
import { DOMAIN_CALLS, HOST_CALLS } from "../../src/remote/calls.ts";
import { ForbiddenError } from "../../src/remote/errors.ts";

const ALL: Allowed = { readOnly: false, verbs: null, domains: null };
const memory = { resource: "memory", size: 1 };

async function verdict(allowed: Allowed, asked: Partial<Parameters<typeof checkAllowed>[1]>): Promise<string> {
  try {
    await checkAllowed(allowed, { verb: "info", writes: false, domain: "web1", ...asked });
    return "allowed";
  } catch (error) {
    expect(error).toBeInstanceOf(ForbiddenError);
    return (error as Error).message;
  }
}

test("every call says which verb it is, and there is such a verb", () => {
  for (const [name, { verb }] of Object.entries({ ...DOMAIN_CALLS, ...HOST_CALLS }))
    if (name !== "change") expect(Object.keys(verbs)).toContain(verb);
});

test("everything that can be asked of a domain can be asked of one on another host", async () => {
  const text = await readFile(new URL("../../src/domain/end-point.ts", import.meta.url), "utf8");
  const facade = await readFile(new URL("../../src/domain/facade.ts", import.meta.url), "utf8");
  const members = [
    ...facade.slice(facade.indexOf("export interface Domain "), facade.indexOf("/**\n * What became")).matchAll(/^ {2}(\w+)\(/gm),
  ];
  const names = [...members.map(([, name = ""]) => name), ...[...text.matchAll(/^ {2}(\w+)\(/gm)].map(([, name = ""]) => name)];
  expect(names.length).toBeGreaterThan(20);
  // A conversation with a monitor goes by a channel, and an address is opened here.
  expect([...new Set(names)].filter((name) => !(name in DOMAIN_CALLS)).sort()).toEqual(["connect", "open"]);
});

test("the page and the help of serve name the verbs that are code execution, and the page those that only read", async () => {
  const page = await readFile(new URL("../../src/remote/REMOTE.md", import.meta.url), "utf8");
  const wordsIn = (line: RegExp): readonly string[] =>
    [...(line.exec(page)?.[1] ?? "").matchAll(/`([\w-]+)`/g)].map(([, word = ""]) => word);
  expect(wordsIn(/^\*\*Some verbs are code execution\.\*\* (With .*?) one can/m)).toEqual(CODE_VERBS);
  expect((await verbs["serve"]?.())?.verb.details?.join()).toContain(`(${CODE_VERBS.join(", ")})`);
  const readers = Object.values({ ...DOMAIN_CALLS, ...HOST_CALLS }).flatMap(({ verb, writes }) => (writes || verb === null ? [] : [verb]));
  expect([...wordsIn(/serve --read-only" ssh.*?\| (.*?) of all domains/)].sort()).toEqual(
    [...new Set([...readers, "metrics", "outcome"])].sort(),
  );
});

describe("a key", () => {
  test("that may only read changes nothing", async () => {
    const allowed = { ...ALL, readOnly: true };
    expect(await verdict(allowed, {})).toBe("allowed");
    expect(await verdict(allowed, { verb: null, writes: true, wanted: [memory] })).toBe("setmem: this key may only read");
    expect(await verdict(allowed, { verb: "qmp", writes: true })).toBe("qmp: this key may only read");
  });

  test("with verbs has those, of each change the one that makes it", async () => {
    const allowed = { ...ALL, verbs: ["info", "setmem"] };
    expect(await verdict(allowed, { verb: null, writes: true, wanted: [memory] })).toBe("allowed");
    expect(await verdict(allowed, { verb: null, writes: true, wanted: { name: "wholeMemory", args: [1] } })).toBe("allowed");
    expect(await verdict(allowed, { verb: null, writes: true, wanted: { name: "newDimm", args: [1] } })).toContain(
      "plugmem: this key does not",
    );
    expect(await verdict(allowed, { verb: null, writes: true, wanted: [memory, { resource: "vcpus", count: 1 }] })).toContain(
      "setvcpus: this key does not allow it; allowed are info, setmem",
    );
    expect(await verdict(allowed, { verb: "persist", writes: true })).toContain("persist: this key does not allow it");
  });

  test.each(CODE_VERBS)("without verbs does not have %s: it runs programs, or opens files", async (verb) => {
    expect(await verdict(ALL, { verb, writes: true })).toContain("it has to be allowed by name");
    expect(await verdict({ ...ALL, verbs: [verb] }, { verb, writes: true })).toBe("allowed");
  });

  test("with domains has those, by their names", async () => {
    const allowed = { ...ALL, domains: ["web*", "db?"] };
    expect(await verdict(allowed, { domain: "web12" })).toBe("allowed");
    expect(await verdict(allowed, { domain: "db1" })).toBe("allowed");
    expect(await verdict(allowed, { domain: "db12" })).toBe("db12: this key does not allow it; allowed are web*, db?");
    for (const domain of ["/etc/qmpctl/web1.json", "unix:/run/web1.sock", "../web1", "ssh://other/web1"])
      expect(await verdict(allowed, { domain })).toContain("by their names only");
  });

  test("with any limit has no paths: they lead past every name", async () => {
    expect(await verdict({ ...ALL, readOnly: true }, { domain: "/etc/shadow" })).toContain("by their names only");
  });
});

test("a pattern's other characters mean themselves", () => {
  expect([matches("a.b", "axb"), matches("a.b", "a.b"), matches("[a]", "a"), matches("a*", "a\nb"), matches("*", "")]).toEqual([
    false,
    true,
    false,
    true,
    true,
  ]);
});
