import { expect, test } from "vitest";
import { changeOptions } from "../../src/cli/change.ts";
import { type Arguments, parseArguments } from "../../src/cli/options.ts";
import { defineVerb, type Verb } from "../../src/cli/verb.ts";

/** What a verb asked for, in the order of its definition below. */
let asked: readonly unknown[] = [];

// Each line that must not compile says so: `tsc -p test` fails when it does.
const verb: Verb = defineVerb({
  usage: ["try"],
  summary: "ask for what there is, and for what there is not",
  options: {
    ...changeOptions,
    fast: { about: "" },
    quick: { about: "", alias: "fast" },
    name: { about: "", value: "NAME" },
    size: { about: "", value: "NUMBER", fills: "SIZE" },
  },
  operands: { names: ["SIZE"], required: 0 },
  async run({ args }) {
    asked = [args.flag("fast"), args.flag("static"), args.flag("json"), args.text("name"), args.text("undo-timeout")];
    // @ts-expect-error a misspelled flag
    args.flag("fats");
    // @ts-expect-error an alias counts as the option that it stands for
    args.flag("quick");
    // @ts-expect-error a flag has no value
    args.text("fast");
    // @ts-expect-error an option with a value is not a flag
    args.flag("name");
    // @ts-expect-error its value is an operand
    args.text("size");
    return 0;
  },
});

test("a verb asks for the options of its definition, and of every verb", async () => {
  const args = await parseArguments(["--quick", "--config", "--name", "a", "--undo-timeout", "2s"], verb);
  await verb.run({ args, io: undefined as never, facade: undefined as never, serve: undefined as never });
  expect(asked).toEqual([true, true, false, "a", "2s"]);
});

test("a helper that asks for an option can't be given a verb without it", () => {
  const timeout = (args: Arguments<never, "timeout">): unknown => args.text("timeout");
  defineVerb({
    usage: ["try"],
    summary: "",
    options: {},
    operands: { names: [], required: 0 },
    // @ts-expect-error this verb has no --timeout
    run: async ({ args }) => Number(timeout(args)),
  });
  expect(Object.keys(changeOptions)).toContain("timeout");
});
