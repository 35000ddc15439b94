import { describe, expect, test } from "vitest";
import { fractionsFrom } from "../../scripts/lab/fractions.ts";
import { type Edit, editJson } from "../../src/config/edit.ts";
import { UsageError } from "../../src/errors.ts";
import { pick, randomObject, randomText, randomValue } from "./random-json.ts";

const CONFIG = `{
  "name": "web1",
  "note": "mine, don't touch",
  "memory": { "max": "2GiB", "current": "1GiB" },
  "vcpus": {
    "max": 4,
    "current": 2,
    "pin": { "0": "0", "2": "1-3" }
  },
  "args": ["-machine", "q35"]
}
`;

describe("editJson", () => {
  test("P7: changes one value and no other byte", () => {
    expect(editJson(CONFIG, [{ path: ["memory", "current"], value: "300MiB" }])).toBe(CONFIG.replace('"1GiB"', '"300MiB"'));
  });

  test.each([
    ["a key in an object on one line", ["memory", "min"], "64MiB", '"current": "1GiB" }', '"current": "1GiB", "min": "64MiB" }'],
    ["a vCPU between its neighbours", ["vcpus", "pin", "1"], "7", '"0": "0", "2"', '"0": "0", "1": "7", "2"'],
    ["a vCPU before all others", ["vcpus", "pin", "00"], "7", '"0": "0"', '"0": "0"'],
    ["a key in an object over several lines", ["vcpus", "note"], null, '"1-3" }\n', '"1-3" },\n    "note": null\n'],
    ["objects on the way to a key", ["memory", "hotplug", "limit"], "4GiB", '"1GiB" }', '"1GiB", "hotplug": { "limit": "4GiB" } }'],
    ["a list", ["args"], ["-S", 1], '["-machine", "q35"]', '["-S", 1]'],
  ] as const)("adds or replaces %s", (what, path, value, before, after) => {
    if (what === "a vCPU before all others") {
      expect(editJson('{ "1": "a" }', [{ path: ["0"], value: "b" }])).toBe('{ "0": "b", "1": "a" }');
      return;
    }
    expect(editJson(CONFIG, [{ path, value }])).toBe(CONFIG.replace(before, after));
  });

  test("takes keys out: in front, behind, and the only one", () => {
    expect(editJson(CONFIG, [{ path: ["vcpus", "pin", "0"], value: undefined }])).toBe(CONFIG.replace('"0": "0", ', ""));
    expect(editJson(CONFIG, [{ path: ["vcpus", "pin"], value: undefined }])).toBe(CONFIG.replace(/,\n    "pin".*/, ""));
    const emptied = editJson(CONFIG, [
      { path: ["vcpus", "pin", "0"], value: undefined },
      { path: ["vcpus", "pin", "2"], value: undefined },
    ]);
    expect(emptied).toBe(CONFIG.replace(/"pin": \{.*\}/, '"pin": {}'));
  });

  test("changes one word of a list, as it is laid out, and one of a list that it has just written", () => {
    const text = CONFIG.replace('["-machine", "q35"]', '[\n    "-machine", "q35",\n    "-S"\n  ]');
    expect(editJson(text, [{ path: ["args", "1"], value: "pc" }])).toBe(text.replace("q35", "pc"));
    expect(
      editJson(CONFIG, [
        { path: ["args"], value: ["-m", "1"] },
        { path: ["args", "1"], value: "2" },
      ]),
    ).toBe(CONFIG.replace('["-machine", "q35"]', '["-m", "2"]'));
    expect(
      editJson("[[1], { }]", [
        { path: ["0", "0"], value: 2 },
        { path: ["1", "a"], value: 3 },
      ]),
    ).toBe('[[2], { "a": 3 }]');
  });

  test("adds to a list as it is laid out, and takes words out of it: in front, behind, and the only one", () => {
    const args = (words: string): string => CONFIG.replace('"-machine", "q35"', words);
    const lines = args('\n    "-machine",\n    "q35"\n  ');
    const add = [
      { path: ["args", "2"], value: "-S" },
      { path: ["args", "3"], value: "-s" },
    ];
    expect(editJson(CONFIG, add)).toBe(args('"-machine", "q35", "-S", "-s"'));
    expect(editJson(lines, add)).toBe(args('\n    "-machine",\n    "q35",\n    "-S",\n    "-s"\n  '));
    expect(
      editJson('{"a":[]}', [
        { path: ["a", "0"], value: 1 },
        { path: ["a", "1"], value: 2 },
      ]),
    ).toBe('{"a":[1,2]}');
    const take = (at: string): Edit => ({ path: ["args", at], value: undefined });
    expect(editJson(lines, [take("0")])).toBe(args('\n    "q35"\n  '));
    expect(editJson(CONFIG, [take("1")])).toBe(args('"-machine"'));
    expect(editJson(lines, [take("0"), take("0")])).toBe(args(""));
    expect(editJson(editJson(lines, add), [take("3"), take("2")])).toBe(lines);
  });

  test("taking out what is not there changes nothing", () => {
    expect(
      editJson(CONFIG, [
        { path: ["memory", "min"], value: undefined },
        { path: ["no", "such"], value: undefined },
      ]),
    ).toBe(CONFIG);
  });

  test("writes as the text is written: Windows line ends, tabs, no blanks at all", () => {
    const windows = '{\r\n\t"a": 1,\r\n\t"b": 2\r\n}\r\n';
    expect(editJson(windows, [{ path: ["c"], value: { d: 3 } }])).toBe('{\r\n\t"a": 1,\r\n\t"b": 2,\r\n\t"c": { "d": 3 }\r\n}\r\n');
    expect(editJson('{"a":1}', [{ path: ["b", "c"], value: [1, {}] }])).toBe('{"a":1,"b":{"c":[1,{}]}}');
    expect(editJson("\uFEFF{ }", [{ path: ["a"], value: 1 }])).toBe('\uFEFF{ "a": 1 }');
  });

  test("refuses a path through what is no object", () => {
    expect(() => editJson(CONFIG, [{ path: ["name", "first"], value: 1 }])).toThrow(UsageError);
    for (const key of ["3", "-1", "", "first"])
      expect(() => editJson(CONFIG, [{ path: ["args", key], value: 1 }])).toThrow(
        `args.${key}: args has no such key or position to change`,
      );
    expect(() => editJson(CONFIG, [{ path: ["args", "2"], value: undefined }])).toThrow(UsageError);
    expect(() => editJson(CONFIG, [{ path: [], value: undefined }])).toThrow(UsageError);
  });

  test("any edits of any text give what the same edits of the value give", () => {
    for (let seed = 0; seed < 3000; seed++) {
      const random = fractionsFrom(seed);
      const object = randomObject(random, 4);
      const text = randomText(random, object);
      const edits = Array.from({ length: 1 + Math.floor(random() * 3) }, () => randomEdit(random));
      const what = `seed ${seed}: ${text} with ${JSON.stringify(edits)}`;
      const wanted = edits.reduce(editValue, object as unknown);
      if (wanted === REFUSED) expect(() => editJson(text, edits), what).toThrow(UsageError);
      else expect(JSON.parse(editJson(text, edits)), what).toStrictEqual(wanted);
    }
  });

  test("many edits at once give, byte for byte, what they give one after the other", () => {
    for (let seed = 0; seed < 2000; seed++) {
      const random = fractionsFrom(seed);
      const text = randomText(random, randomObject(random, 4));
      const edits = Array.from({ length: 2 + Math.floor(random() * 8) }, () => randomEdit(random));
      const tell = (act: () => string): string => {
        try {
          return act();
        } catch (error) {
          return String(error);
        }
      };
      const singly = tell(() => edits.reduce((each, edit) => editJson(each, [edit]), text));
      expect(
        tell(() => editJson(text, edits)),
        `seed ${seed}: ${text} with ${JSON.stringify(edits)}`,
      ).toBe(singly);
    }
  });

  test("an edit that sets what is there already keeps every byte around it", () => {
    for (let seed = 0; seed < 1000; seed++) {
      const random = fractionsFrom(seed);
      const object = { ...randomObject(random, 3), zone: "a", tail: randomValue(random, 2) };
      const text = randomText(random, object);
      expect(editJson(text, [{ path: ["zone"], value: "b" }]), `seed ${seed}`).toBe(text.replace(/("zone"\s*:\s*)"a"/, '$1"b"'));
    }
  });
});

const REFUSED = Symbol("refused");

function randomEdit(random: () => number): Edit {
  const length = 1 + Math.floor(random() * 3);
  const path = Array.from({ length }, () => pick(random, ["a", "memory", "max", "pin", "0", "1", "5", "__proto__", "new"]));
  return { path, value: random() < 0.3 ? undefined : randomValue(random, 2) };
}

/** The same edit on a plain value, written a second time and without any text. */
function editValue(value: unknown, { path, value: next }: Edit): unknown {
  const [key, ...rest] = path;
  if (value === REFUSED) return REFUSED;
  if (key === undefined) return next;
  if (Array.isArray(value)) return editItem(value, key, rest, next);
  if (typeof value !== "object" || value === null) return REFUSED;
  const entries = new Map(Object.entries(value));
  if (!entries.has(key) && next === undefined) return value;
  const inner = rest.length === 0 ? next : editValue(entries.has(key) ? entries.get(key) : {}, { path: rest, value: next });
  if (inner === REFUSED) return REFUSED;
  if (inner === undefined) entries.delete(key);
  else entries.set(key, inner);
  return Object.fromEntries(entries);
}

function editItem(list: readonly unknown[], key: string, rest: readonly string[], next: unknown): unknown {
  const position = /^\d+$/.test(key) ? Number(key) : list.length + 1;
  if (rest.length === 0 && next === undefined) return position < list.length ? list.toSpliced(position, 1) : REFUSED;
  if (rest.length === 0 && position === list.length) return [...list, next];
  if (position >= list.length) return REFUSED;
  const inner = rest.length === 0 ? next : editValue(list[position], { path: rest, value: next });
  return inner === REFUSED ? REFUSED : list.with(position, inner);
}
