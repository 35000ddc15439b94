import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/schema/argument-error.ts";
import { readIntrospection } from "../../src/schema/introspection.ts";
import { argumentCheck, checkArguments } from "../../src/schema/validate.ts";
import { recorded, schemaOf } from "./recorded.ts";

const schema = schemaOf("7.2_x86_64");
const disk = { driver: "qcow2", file: { driver: "file", filename: "/a" } };

describe("what QEMU accepts passes", () => {
  test.each<[string, object | undefined]>([
    ["query-status", undefined],
    ["query-status", {}],
    ["balloon", { value: 2 ** 40 }],
    ["blockdev-add", disk],
    ["blockdev-add", { ...disk, file: "node0", "node-name": "n", cache: { direct: true } }],
    ["blockdev-add", { ...disk, backing: null }],
    ["blockdev-add", { driver: "raw", file: "node0", offset: undefined }],
    ["blockdev-add", { driver: "qcow2", file: "a", "overlap-check": "all" }],
    ["blockdev-add", { driver: "qcow2", file: "a", "overlap-check": { template: "all", "main-header": false } }],
    ["object-add", { "qom-type": "memory-backend-ram", id: "m", size: 1 }],
    ["device_add", { driver: "e1000", id: "n0", whatever: { the: "device takes" } }],
    ["qom-set", { path: "/a", property: "b", value: [null, { c: 1.5 }] }],
    ["transaction", { actions: [{ type: "blockdev-snapshot", data: { node: "a", overlay: "b" } }] }],
    ["migrate-set-capabilities", { capabilities: [{ capability: "xbzrle", state: true }] }],
  ])("%s %j", (command, parameters) => {
    expect(checkArguments(schema, command, parameters)).toEqual([]);
  });
});

test("a bigint is an integer", () => {
  expect(checkArguments(schema, "balloon", { value: 2n ** 63n })).toEqual([]);
});

describe("what QEMU would refuse is reported with its place, and with what would be right", () => {
  test.each<[string, unknown, string]>([
    ["query-statsu", {}, "query-statsu: this QEMU has no such command, did you mean query-stats?"],
    ["nothing-like-it-at-all", {}, "nothing-like-it-at-all: this QEMU has no such command"],
    ["balloon", {}, "balloon: value: missing: an integer"],
    ["balloon", { value: undefined }, "balloon: value: missing: an integer"],
    ["balloon", { value: "512M" }, 'balloon: value: expected an integer, got "512M"'],
    ["balloon", { value: 0.5 }, "balloon: value: expected an integer, got 0.5"],
    ["balloon", { value: NaN }, "balloon: value: expected an integer, got NaN"],
    ["balloon", [1], "balloon: expected an object, got a list"],
    ["query-status", { verbose: true }, "query-status: verbose: no such member: expected nothing"],
    ["blockdev-add", { ...disk, node_name: "x" }, "blockdev-add: node_name: no such member, did you mean node-name?"],
    ["blockdev-add", { ...disk, driver: "qcow3" }, 'blockdev-add: driver: "qcow3" is not one of its values, did you mean qcow?'],
    [
      "blockdev-add",
      { driver: "raw", file: "a", "lazy-refcounts": true },
      'blockdev-add: lazy-refcounts: no such member where driver is "raw", only where it is "qcow2"',
    ],
    ["blockdev-add", { ...disk, file: { driver: "file" } }, "blockdev-add: file.filename: missing: a string"],
    ["blockdev-add", { ...disk, file: 3 }, "blockdev-add: file: expected an object or a string, got 3"],
    ["blockdev-add", { ...disk, cache: { direct: "on" } }, 'blockdev-add: cache.direct: expected true or false, got "on"'],
    ["blockdev-add", { file: "a" }, "blockdev-add: driver: missing: one of "],
    [
      "transaction",
      { actions: [{ type: "blockdev-snapshot", data: { node: "a", overlay: 1 } }] },
      "transaction: actions[0].data.overlay: expected a string, got 1",
    ],
    ["migrate-set-capabilities", { capabilities: {} }, "migrate-set-capabilities: capabilities: expected a list, got an object"],
    ["set-action", { reboot: "nope" }, 'set-action: reboot: "nope" is not one of its values: one of "reset", "shutdown"'],
    ["device_add", { id: "n0", model: "e1000" }, "device_add: driver: missing: a string"],
  ])("%s %j", (command, parameters, message) => {
    const [first, ...others] = checkArguments(schema, command, parameters);
    if (first === undefined) throw new Error("it found nothing");
    const error = new ArgumentError(command, [first, ...others]);
    expect(error.message).toContain(message);
    expect(error.code).toBe("usage");
  });
});

test("each mistake is reported, and the error counts them", () => {
  const error = argumentCheck(recorded.get("7.2_x86_64")?.schema ?? [])("blockdev-add", { driver: "raw", file: 1, sise: 2, offset: "3" });
  expect(error?.message).toBe("blockdev-add: file: expected an object or a string, got 1 (and 2 more)");
  expect(error?.issues.map(({ path, value, expected }) => ({ path, value, expected }))).toEqual([
    { path: "file", value: 1, expected: "an object or a string" },
    { path: "offset", value: "3", expected: "an integer" },
    { path: "sise", value: 2, expected: "size" },
  ]);
  expect(error).toMatchObject({ command: "blockdev-add", value: 1, expected: "an object or a string" });
});

test("before 6.0 an object takes more than the schema tells, later it does not", () => {
  const object = { "qom-type": "memory-backend-ram", id: "m", size: 1, sise: 2 };
  expect(checkArguments(schemaOf("5.2_x86_64"), "object-add", object)).toEqual([]);
  expect(checkArguments(schema, "object-add", object).map(({ path }) => path)).toEqual(["sise"]);
});

test("what contains itself comes to an end", () => {
  const file: Record<string, unknown> = { driver: "raw" };
  file["file"] = file;
  expect(checkArguments(schema, "blockdev-add", file)).toEqual([]);
});

test("a schema that names what it does not describe is no schema", () => {
  const broken = readIntrospection([
    { name: "x", "meta-type": "command", "arg-type": "9", "ret-type": "9" } as { name: string; "meta-type": string },
  ]);
  expect(() => checkArguments(broken, "x")).toThrow("query-qmp-schema: the type 9 is named but not described");
});
