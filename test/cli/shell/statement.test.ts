import { describe, expect, test } from "vitest";
import { parseStatement } from "../../../src/cli/shell/statement.ts";

const command = (name: string, ...pairs: unknown[]) => ({ kind: "command", name, members: undefined, pairs });

test.each([
  ["", { kind: "nothing" }],
  ["  # a comment { ", { kind: "nothing" }],
  ["exit", { kind: "exit" }],
  ["hmp", { kind: "hmp-mode" }],
  ["!", { kind: "hmp-mode" }],
  ["! info status", { kind: "hmp", line: "info status" }],
  ["help", { kind: "help", topic: undefined }],
  ["? balloon", { kind: "help", topic: "balloon" }],
  ["events STOP RESUME", { kind: "events", names: ["STOP", "RESUME"] }],
  ["query-status", command("query-status")],
  ["qom-get path=/machine", command("qom-get", { word: "path=/machine", key: "path", value: { kind: "plain", text: "/machine" } })],
  ["a b='0 1'", command("a", { word: "b='0 1'", key: "b", value: { kind: "quoted", text: "0 1" } })],
  [
    'a b="\\u00e9\\"" c=',
    command(
      "a",
      { word: 'b="\\u00e9\\""', key: "b", value: { kind: "quoted", text: 'é"' } },
      { word: "c=", key: "c", value: { kind: "plain", text: "" } },
    ),
  ],
  [
    "a b=[1, 18446744073709551615]",
    command("a", { word: "b=[1, 18446744073709551615]", key: "b", value: { kind: "json", value: [1, 18446744073709551615n] } }),
  ],
  ['a {"b":\n1}', { kind: "command", name: "a", members: { b: 1 }, pairs: [] }],
  ['{"execute": "a", "id": 7}', { kind: "request", request: { execute: "a", id: 7 } }],
  ['{"exec-oob": "a"}', { kind: "request", request: { "exec-oob": "a" } }],
])("%j", (text, statement) => expect(parseStatement(text)).toEqual(statement));

test("a line for the human monitor is taken as it is, save the shell's own words", () => {
  expect(parseStatement(' info "x ', "hmp")).toEqual({ kind: "hmp", line: 'info "x' });
  expect([parseStatement("qmp", "hmp"), parseStatement("exit", "hmp"), parseStatement("help", "hmp")].map(({ kind }) => kind)).toEqual([
    "qmp-mode",
    "exit",
    "hmp",
  ]);
});

describe("what can't be meant is named", () => {
  test.each([
    ["a b", "b: not KEY=VALUE"],
    ["info status", "info: that is a command of the human monitor: write !info status"],
    ["savevm", "write !savevm"],
    ["a =1", "=1: not KEY=VALUE"],
    ["a b..c=1", "b..c=1: not KEY=VALUE"],
    ["a {} b=1", "b=1: nothing may follow the JSON object"],
    ['a {"b":}', '{"b":}: not JSON: '],
    ['a b="x', 'b="x: " is never closed'],
    ["a b='x", "b='x: ' is never closed"],
    ["a{", "a{: not the name of a command"],
    ['{"arguments": {}}', 'a request needs "execute" or "exec-oob"'],
    ['{"execute": "a"} b', "not JSON: "],
  ])("%j", (text, message) => {
    expect(() => parseStatement(text)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(message) as string }),
    );
  });
});
