import { describe, expect, test } from "vitest";
import { launch, NO_GUEST, qemus } from "../../scripts/lab/machine.ts";
import { randomFrom } from "../../scripts/lab/random.ts";
import { CommandError } from "../../src/qmp/errors.ts";
import { connect } from "../../src/qmp/session.ts";
import { ArgumentError } from "../../src/schema/argument-error.ts";
import { readIntrospection } from "../../src/schema/introspection.ts";
import { checkArguments } from "../../src/schema/validate.ts";
import { rejection } from "../qmp/peer.ts";
import { rightArguments, spoil } from "../schema/random-arguments.ts";

/** Arguments that no QEMU takes, and what QEMU's own words about them have in common with ours. */
const WRONG: readonly (readonly [command: string, parameters: object, path: string])[] = [
  ["query-nmae", {}, "query-nmae"],
  ["query-name", { verbose: 1 }, "verbose"],
  ["balloon", {}, "value"],
  ["balloon", { value: "1G" }, "value"],
  ["balloon", { value: 0.5 }, "value"],
  ["qom-list", { path: ["a"] }, "path"],
  ["blockdev-add", { driver: "raw" }, "file"],
  ["blockdev-add", { driver: "raw", file: { driver: "null-co", sise: 1 } }, "sise"],
  ["blockdev-add", { driver: "raw", file: 1 }, "file"],
  ["blockdev-add", { driver: "row", file: "a" }, "row"],
  ["blockdev-add", { driver: "null-co", "lazy-refcounts": true }, "lazy-refcounts"],
  ["blockdev-add", { driver: "null-co", cache: { direct: 1 } }, "direct"],
  ["transaction", { actions: [{ type: "abort", data: { surplus: 1 } }] }, "surplus"],
  ["migrate-set-capabilities", { capabilities: [{ capability: "nope", state: true }] }, "nope"],
  ["device_add", { id: "a" }, "driver"],
];

/** Arguments that every QEMU takes, of each kind of type. */
const RIGHT: readonly (readonly [command: string, parameters: object])[] = [
  ["query-name", {}],
  ["qom-list", { path: "/machine" }],
  ["blockdev-add", { driver: "null-co", "node-name": "n0", size: 2 ** 40, cache: { direct: true }, discard: "unmap" }],
  ["blockdev-add", { driver: "raw", "node-name": "n1", file: "n0" }],
  ["blockdev-add", { driver: "raw", "node-name": "n2", file: { driver: "null-co" }, "read-only": true }],
  ["blockdev-del", { "node-name": "n2" }],
  ["transaction", { actions: [] }],
  ["migrate-set-capabilities", { capabilities: [{ capability: "xbzrle", state: true }] }],
  ["migrate-set-parameters", { "max-bandwidth": 2n ** 40n }],
  ["object-add", { "qom-type": "secret", id: "s0", ...{ data: "x" } }],
];

describe.each(await qemus())("QEMU $version", ({ binary, major }) => {
  test("and the check of arguments by its schema agree on what is wrong", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using plain = await connect(machine.address);
    const refusals: CommandError[] = [];
    for (const [command, parameters] of WRONG) refusals.push((await rejection(plain.execute(command, parameters))) as CommandError);
    await plain.checkArguments();
    for (const [index, [command, parameters, path]] of WRONG.entries()) {
      expect(refusals[index], `${command} ${JSON.stringify(parameters)}`).toBeInstanceOf(CommandError);
      const ours = await rejection(plain.execute(command, parameters));
      expect(ours).toBeInstanceOf(ArgumentError);
      expect(ours.message).toContain(path);
      expect(refusals[index]?.desc).toContain(path);
    }
  });

  test("refuses all arguments that are spoilt at random and that the check refuses", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using session = await connect(machine.address);
    const schema = readIntrospection(await session.execute("query-qmp-schema"));
    const random = randomFrom(20261122);
    const taken: string[] = [];
    let tried = 0;
    for (const command of [...schema.commands.keys(), ...schema.commands.keys()]) {
      const spoilt = spoil(schema, command, rightArguments(schema, command, random), random);
      // 5.2 does not look at what it is given with this one.
      if (spoilt === undefined || (command === "query-qmp-schema" && major < 6)) continue;
      tried++;
      expect(checkArguments(schema, command, spoilt.wrong), `${command} ${spoilt.mistake}`).not.toEqual([]);
      // QEMU looks at types before it does anything (R13), so that none of this has an effect.
      const answer = await session.execute(command, spoilt.wrong).catch((error: unknown) => error);
      if (!(answer instanceof CommandError)) taken.push(`${command} ${spoilt.mistake} ${JSON.stringify(spoilt.wrong)}: ${String(answer)}`);
    }
    expect(tried).toBeGreaterThan(350);
    expect(taken).toEqual([]);
  });

  test("and the check of arguments by its schema agree on what is right", async () => {
    await using machine = await launch(binary, NO_GUEST);
    await using checked = await connect(machine.address, { checkArguments: true });
    for (const [command, parameters] of RIGHT) {
      // Before 6.0 what an object takes stood in a member of its own.
      const asThen = command === "object-add" && major < 6 ? { "qom-type": "secret", id: "s0", props: { data: "x" } } : parameters;
      await checked.execute(command, asThen);
    }
  });
});
