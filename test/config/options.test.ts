import { describe, expect, test } from "vitest";
import { escapeCommas, parseKeyValues, splitOptions } from "../../src/config/options.ts";

describe("splitOptions", () => {
  test("takes an option's argument to be the next word, whatever it looks like", () => {
    expect(splitOptions(["-append", "-S", "--nographic", "disk.img", "-m"])).toEqual([
      { name: "append", words: ["-append", "-S"], value: "-S" },
      { name: "nographic", words: ["--nographic"], value: undefined },
      { name: "", words: ["disk.img"], value: undefined },
      { name: "m", words: ["-m"], value: undefined },
    ]);
  });
});

describe("parseKeyValues", () => {
  test.each([
    ["512", { size: "512" }],
    ["512,slots=2", { size: "512", slots: "2" }],
    ["size=1G,size=2G", { size: "2G" }],
    ["a,,b,,,c=d,,e", { size: "a,b,", c: "d,e" }],
    ["path=/x,server,nowait", { path: "/x", server: "on", wait: "off" }],
    ["", {}],
    ["k=v=w,k2=", { k: "v=w", k2: "" }],
  ])("reads %j", (text, values) => {
    expect(Object.fromEntries(parseKeyValues(text, "size"))).toEqual(values);
  });

  test("gives back a value whose commas were doubled", () => {
    for (const value of [",", ",,", "a,b", ",a,", "a,,b,"])
      expect(parseKeyValues(`x=${escapeCommas(value)},y=1`, "size").get("x")).toBe(value);
  });
});
