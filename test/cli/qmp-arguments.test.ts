import { describe, expect, test } from "vitest";
import { parseQmpArguments } from "../../src/cli/qmp-arguments.ts";

const plain = (words: string[]): unknown => JSON.parse(JSON.stringify(parseQmpArguments(words)));

test("no words are no arguments", () => expect(parseQmpArguments([])).toBeUndefined());

test.each([
  [['{"id":"vcpu1"}'], { id: "vcpu1" }],
  [["driver=max-x86_64-cpu", "core-id=2"], { driver: "max-x86_64-cpu", "core-id": 2 }],
  [
    ["props.core-id=2", "props.node.id=1", "on=true", "off=false", "x=null"],
    { props: { "core-id": 2, node: { id: 1 } }, on: true, off: false, x: null },
  ],
  [
    ["list=[1,2]", 'o={"a":1}', 's="0"', "empty=", "eq=a=b", "path=/machine/unattached"],
    { list: [1, 2], o: { a: 1 }, s: "0", empty: "", eq: "a=b", path: "/machine/unattached" },
  ],
  [["n=-1.5", "id=007", "v=1.2.3"], { n: -1.5, id: "007", v: "1.2.3" }],
])("%j", (words, members) => expect(plain(words)).toEqual(members));

test("integers keep their digits", () => {
  expect(parseQmpArguments(["value=18446744073709551615"])).toMatchObject({ value: 18446744073709551615n });
  expect(parseQmpArguments(['{"value":9007199254740993}'])).toEqual({ value: 9007199254740993n });
});

test("a key may be called anything", () => {
  const members = parseQmpArguments(["__proto__.polluted=1"]);
  expect(Object.keys(members ?? {})).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

describe("what is wrong is named", () => {
  test.each([
    [["vcpu1"], "vcpu1: not KEY=VALUE"],
    [["=1"], "=1: not KEY=VALUE"],
    [["a..b=1"], "a..b=1: not KEY=VALUE"],
    [["a=1", "a=2"], "a=2: a has a value already"],
    [["a=1", "a.b=2"], "a.b=2: a has a value already"],
    [["a=[1]", "a.b=2"], "a.b=2: a has a value already"],
    [["{}", "a=1"], "a=1: nothing may follow the JSON object"],
    [['{"a":}'], '{"a":}: not JSON: '],
  ])("%j", (words, message) => {
    expect(() => parseQmpArguments(words)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(message) as string }),
    );
  });
});
