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
  test("operands and options in any order", async () => {
    const args = await parse("--static", "web1", "--timeout", "3s", "300M", "--json");
    expect(args.operands).toEqual(["web1", "300M"]);
    expect([args.flag("static"), args.flag("json"), args.flag("quick")]).toEqual([true, true, false]);
    expect(args.text("timeout")).toBe("3s");
  });

  test("an alias counts as the option it stands for", async () => {
    expect((await parse("web1", "1G", "--config")).flag("static")).toBe(true);
  });

  test.each([
    [["--timeout=-1"], "-1"],
    [["--timeout", "1", "--timeout", "2"], "2"],
    [["--timeout="], ""],
  ])("%j", async (argv, value) => {
    expect((await parse("web1", "1G", ...argv)).text("timeout")).toBe(value);
  });

  test("short options", async () => expect((await parse("-q", "web1", "1G")).flag("quick")).toBe(true));

  test("after -- all are operands", async () => expect((await parse("web1", "--", "--static")).operands).toEqual(["web1", "--static"]));

  test("--help asks for no operands", async () => expect((await parse("--help")).flag("help")).toBe(true));
});

describe("what follows -- is kept apart where the verb wants it", () => {
  const verbatim: Grammar = { options: { name: { about: "", value: "NAME" } }, operands: { names: ["FILE"], required: 0, verbatim: true } };

  test("with options that look like ours, and another --", async () => {
    const args = await parseArguments(["--name", "a", "--", "qemu", "-name", "b", "--json", "--", "x"], verbatim);
    expect(args.verbatim).toEqual(["qemu", "-name", "b", "--json", "--", "x"]);
    expect(args.flag("json")).toBe(false);
    expect(args.text("name")).toBe("a");
  });

  test("absent without --", async () => expect((await parseArguments(["f.json"], verbatim)).verbatim).toBeUndefined());
});

describe("operands by their names, as virsh takes them", () => {
  const pin: Grammar = {
    options: { kilobytes: { about: "", value: "NUMBER", fills: "SIZE", unit: "KiB", hidden: true } },
    operands: { names: ["DOMAIN", "SIZE", "MORE"], required: 1 },
  };
  const operands = async (...argv: string[]) => (await parseArguments(argv, pin)).operands;

  test.each([
    [
      ["--domain", "web1", "--size", "1G"],
      ["web1", "1G"],
    ],
    [
      ["--size", "1G", "web1"],
      ["web1", "1G"],
    ],
    [
      ["1G", "--domain=web1"],
      ["web1", "1G"],
    ],
    [
      ["web1", "--kilobytes", "300"],
      ["web1", "300KiB"],
    ],
    [
      ["web1", "--kilobytes", "300M"],
      ["web1", "300M"],
    ],
    [
      ["--more", "x", "web1", "1G"],
      ["web1", "1G", "x"],
    ],
  ])("%j", async (argv, expected) => expect(await operands(...argv)).toEqual(expected));

  test.each([
    [["--more", "x", "web1"], "SIZE: missing"],
    [["--size", "1G"], "DOMAIN: missing"],
    [["--domain", "web1", "a", "b", "c"], '"c": one operand too many'],
  ])("%j", async (argv, message) => await expect(operands(...argv)).rejects.toThrow(message));

  test("an option of that name is the verb's own", async () => {
    const own: Grammar = { options: { count: { about: "", value: "N" } }, operands: { names: ["DOMAIN", "COUNT"], required: 1 } };
    const args = await parseArguments(["web1", "--count", "2"], own);
    expect([args.operands, args.text("count")]).toEqual([["web1"], "2"]);
  });
});

describe("what is wrong is named", () => {
  test.each([
    [["web1"], "SIZE: missing"],
    [[], "DOMAIN: missing"],
    [["web1", "1G", "2G"], '"2G": one operand too many'],
    [["web1", "1G", "--statc"], "--statc: there is no such option, did you mean --static?"],
    [["web1", "1G", "--frobnicate"], "--frobnicate: there is no such option"],
    [["web1", "-5M"], "-5M: numbers must be 0 or more"],
    [["web1", "1G", "-x"], "-x: there is no such option"],
    [["web1", "1G", "--__proto__"], "--__proto__: there is no such option"],
    [["web1", "1G", "--static=yes"], "--static=yes: --static takes no value"],
    [["web1", "1G", "--timeout"], "--timeout: a value is missing"],
    [["web1", "1G", "--timeout", "--json"], "--timeout: a value is missing"],
  ])("%j", async (argv, message) => {
    await expect(parse(...argv)).rejects.toThrow(expect.objectContaining({ code: "usage", message }));
  });
});
