import { describe, expect, test } from "vitest";
import { type Grammar, parseArguments } from "../../src/cli/options.ts";

const grammar: Grammar = {
  options: {
    static: { about: "" },
    config: { about: "", alias: "static" },
    timeout: { about: "", value: "TIME" },
    quick: { about: "", short: "q" },
  },
  operands: { names: ["DOMAIN", "SIZE"], required: 2 },
};

const parse = (...argv: string[]) => parseArguments(argv, grammar);

describe("what is there", () => {
  test("operands and options in any order", () => {
    const args = parse("--static", "web1", "--timeout", "3s", "300M", "--json");
    expect(args.operands).toEqual(["web1", "300M"]);
    expect([args.flag("static"), args.flag("json"), args.flag("quick")]).toEqual([true, true, false]);
    expect(args.text("timeout")).toBe("3s");
  });

  test("an alias counts as the option it stands for", () => {
    expect(parse("web1", "1G", "--config").flag("static")).toBe(true);
  });

  test.each([[["--timeout=-1"], "-1"], [["--timeout", "1", "--timeout", "2"], "2"], [["--timeout="], ""]])("%j", (argv, value) => {
    expect(parse("web1", "1G", ...argv).text("timeout")).toBe(value);
  });

  test("short options", () => expect(parse("-q", "web1", "1G").flag("quick")).toBe(true));

  test("after -- all are operands", () => expect(parse("web1", "--", "--static").operands).toEqual(["web1", "--static"]));

  test("--help asks for no operands", () => expect(parse("--help").flag("help")).toBe(true));
});

describe("what follows -- is kept apart where the verb wants it", () => {
  const verbatim: Grammar = { options: { name: { about: "", value: "NAME" } }, operands: { names: ["FILE"], required: 0, verbatim: true } };

  test("with options that look like ours, and another --", () => {
    const args = parseArguments(["--name", "a", "--", "qemu", "-name", "b", "--json", "--", "x"], verbatim);
    expect(args.verbatim).toEqual(["qemu", "-name", "b", "--json", "--", "x"]);
    expect(args.flag("json")).toBe(false);
    expect(args.text("name")).toBe("a");
  });

  test("absent without --", () => expect(parseArguments(["f.json"], verbatim).verbatim).toBeUndefined());
});

describe("what is wrong is named", () => {
  test.each([
    [["web1"], "SIZE: missing"],
    [[], "DOMAIN: missing"],
    [["web1", "1G", "2G"], '"2G": one operand too many'],
    [["web1", "1G", "--statc"], "--statc: there is no such option, did you mean --static?"],
    [["web1", "1G", "--frobnicate"], "--frobnicate: there is no such option"],
    [["web1", "1G", "-x"], "-x: there is no such option"],
    [["web1", "1G", "--__proto__"], "--__proto__: there is no such option"],
    [["web1", "1G", "--static=yes"], "--static=yes: --static takes no value"],
    [["web1", "1G", "--timeout"], "--timeout: a value is missing"],
    [["web1", "1G", "--timeout", "--json"], "--timeout: a value is missing"],
  ])("%j", (argv, message) => {
    expect(() => parse(...argv)).toThrow(expect.objectContaining({ code: "usage", message }));
  });
});
