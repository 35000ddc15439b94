import { describe, expect, test } from "vitest";
import { plainWords } from "../../scripts/pages/words.ts";
import { verbs } from "../../src/cli/command.ts";
import { verbHelp } from "../../src/cli/help.ts";
import { parseArguments } from "../../src/cli/options.ts";
import type { Domain } from "../../src/domain/facade.ts";
import { play, reportOf } from "./scene.ts";

const loaded = await Promise.all(Object.entries(verbs).map(async ([name, load]) => [name, (await load()).verb] as const));

test("every verb has two examples", () => {
  expect(loaded.filter(([, { examples = [] }]) => examples.length < 2).map(([name]) => name)).toEqual([]);
});

describe.each(loaded)("the examples of %s", (name, verb) => {
  test("are command lines that it reads", async () => {
    for (const [command] of verb.examples ?? []) {
      const [first, ...words] = command.replace(/^-H kvm1 /, "").split(" ");
      expect(first).toBe(name);
      const { operands } = await parseArguments(words, verb, async () => undefined);
      if (verb.operands.names[0] === "DOMAIN" && verb.operands.required > 0 && verb.isOfSeveral === undefined)
        expect([command, operands[0]]).toEqual([command, "web1"]);
    }
  });

  test.each([40, 60, 100])("stand in its help of %i columns", async (width) => {
    const lines = (await verbHelp(name, verb, width)).replaceAll(/ \\\n +/g, " ").split("\n");
    for (const [command] of verb.examples ?? []) expect(lines).toContain(`  qmpctl ${command}`);
  });
});

/** A domain that plans whatever is asked for. */
const planner = new Proxy({}, { get: () => async () => reportOf({ outcome: "planned" }) }) as Domain;

// Changes of the allocation: they have a deadline for the undo. With --dry-run nothing is touched, and each value is read.
const changes = loaded
  .flatMap(([name, verb]) =>
    Object.hasOwn(verb.options, "undo-timeout") && name !== "apply" ? (verb.examples ?? []).map(([command]) => command) : [],
  )
  .filter((command) => command !== "memstat web1"); // It only shows, and has nothing to plan.

test("there are examples of changes", () => expect(changes.length).toBeGreaterThan(40));

test.each(changes)("%s: its values are what it takes", async (command) => {
  const words = plainWords(command.replace(/^-H kvm1 /, "")) ?? [];
  expect(await play([...words, "--dry-run"], { domain: planner })).not.toMatchObject({ code: 2 });
});

test("the help of apply lists what a file may have, with the verb that changes the same", async () => {
  const { verb } = await verbs["apply"]!();
  expect(await verbHelp("apply", verb, 100)).toMatch(/^ {2}memory\.plugged +setmem +\{"ID": SIZE\}$/m);
});
