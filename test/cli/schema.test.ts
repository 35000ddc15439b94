import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fleetJson } from "../../src/cli/fleet/fleet-json.ts";
import { allocationSchema, configSchema } from "../../src/cli/schema/config.ts";
import { fleet } from "../../src/cli/schema/fleet.ts";
import { report } from "../../src/cli/schema/report.ts";
import { expectedAt } from "../../src/config/launch-shape.ts";
import { parseLaunchConfig } from "../../src/config/launch.ts";
import { POLICY_PATTERN, policyOf } from "../../src/config/policy.ts";
import { isQuota, QUOTA_PATTERN } from "../../src/config/quota.ts";
import { isSize, isSizeOrNone, SIZE_PATTERN } from "../../src/config/size.ts";
import { changesOf, fileKeys } from "../../src/domain/resources/allocation.ts";
import { LostError, UnreachableError } from "../../src/remote/errors.ts";
import { faultOf } from "../../src/shape.ts";
import { invalid } from "../json-schema.ts";
import { play, reportOf } from "./scene.ts";

const FIXTURES = new URL("../../fixtures/config/", import.meta.url).pathname;
const configs = (folder: string): readonly string[] => readdirSync(join(FIXTURES, folder)).filter((name) => name.endsWith(".json"));
const read = (folder: string, name: string): unknown => JSON.parse(readFileSync(join(FIXTURES, folder, name), "utf8"));

describe("the schema of a launch config", () => {
  const schema = configSchema();

  test.each(configs("good"))("takes %s", (name) => expect(invalid(schema, read("good", name))).toBeNull());

  test.each([
    ["list", "$: no object"],
    ["nothing", "$: name is missing"],
    ["wrong-types", expect.stringMatching(/^\$\.\w+/)],
    ["names", expect.stringMatching(/^\$\.name: not like/)],
  ])("refuses %s", (name, why) => expect(invalid(schema, read("bad", `${name}.json`))).toEqual(why));

  test("has what the messages say would be right, at each place", () => {
    expect(schema.properties?.["memory"]?.properties?.["max"]?.description).toBe(expectedAt("memory.max", undefined));
    expect(JSON.stringify(schema)).not.toContain("undefined");
  });

  test("a config may name it", () => {
    const config = { $schema: "./config.schema.json", ...(read("good", configs("good")[0] as string) as object) };
    expect(invalid(schema, config)).toBeNull();
    expect(() => parseLaunchConfig(JSON.stringify(config), "/x/web1.json")).not.toThrow();
  });
});

describe("patterns leave out nothing that is read", () => {
  const digits = ["", "0", "1", "007", "300", "123456789012345", "1.5", "-1"];
  const units = [
    "",
    "b",
    "B",
    "byte",
    "Bytes",
    "BYTES",
    "k",
    "K",
    "Ki",
    "kib",
    "KIB",
    "M",
    "mIb",
    "GiB",
    "T",
    "PiB",
    "E",
    "Z",
    " M",
    "%",
    "KB",
    "MB",
  ];
  test.each(digits.flatMap((number) => units.map((unit) => `${number}${unit}`)))("size %j", (text) => {
    if (isSize(text) || isSizeOrNone(text)) expect(text).toMatch(new RegExp(SIZE_PATTERN));
    if (/B$/.test(text) && /[KM]B$/.test(text)) expect(text).not.toMatch(new RegExp(SIZE_PATTERN));
  });
  test.each(["none", "1%", "150%", "12.5%", "0.25%", "1000000%", "9999999%", "150", "1.234%", "x"])("quota %j", (text) => {
    if (isQuota(text)) expect(text).toMatch(new RegExp(QUOTA_PATTERN));
    else expect([text, "9999999%", "0.25%"]).toContain(text);
  });
  test.each(["other", "batch", "idle", "idle:0", "other:00", "batch:1", "fifo", "fifo:1", "rr:99", "rr:07", "rr:0", "fifo:100", "x:1"])(
    "policy %j",
    (text) => expect(new RegExp(POLICY_PATTERN).test(text)).toBe(policyOf(text) !== undefined),
  );
});

describe("the schema of what apply reads", () => {
  const schema = allocationSchema();

  test("takes the example of every key, and so does apply", () => {
    for (const { place, example } of fileKeys()) {
      const [group = "", key = ""] = place.split(".");
      const wanted = { $schema: "x", [group]: { [key]: JSON.parse(example) as unknown } };
      expect([place, invalid(schema, wanted)]).toEqual([place, null]);
      expect(changesOf(wanted as never)).not.toEqual([]);
    }
  });

  test("refuses a key that apply refuses", () => {
    expect(invalid(schema, { memory: { curent: "1G" } })).toBe("$.memory: curent is unknown");
    expect(invalid(schema, { memroy: {} })).toBe("$: memroy is unknown");
  });
});

describe("the schema of a report", () => {
  const leg = { outcome: "applied", before: 1, wanted: 2, actual: 2 };
  const good = {
    ...{ domain: "web1", scope: "both", state: "running", outcome: "applied", steps: [], refusals: [], notes: [], elapsed: 1 },
    changes: [{ change: { resource: "vcpu-pin", vcpu: 0, cpus: "0-1" }, static: leg, dynamic: { ...leg, reason: "x" } }],
  };

  test.each([
    ["as it is", good, true],
    ["of another resource's members", { ...good, changes: [{ ...good.changes[0], change: { resource: "vcpu-pin", size: 1 } }] }, false],
    ["of no resource", { ...good, changes: [{ ...good.changes[0], change: { resource: "nothing" } }] }, false],
    ["without a half", { ...good, changes: [{ change: good.changes[0]?.change, static: leg }] }, false],
    ["with an outcome that there is none of", { ...good, outcome: "done" }, false],
    ["without its notes", { ...good, notes: undefined }, false],
  ])("%s: the shape and the schema agree", (_, value, isRight) => {
    const sent = JSON.parse(JSON.stringify(value)) as unknown;
    expect(faultOf(report, sent) === undefined).toBe(isRight);
    expect(invalid(report.schema(), sent) === null).toBe(isRight);
  });
});

test("the schema of a report over many hosts takes what is printed of each outcome", () => {
  const error = new LostError("kvm2", "gone", "2f1c7e0a");
  const printed = JSON.parse(
    JSON.stringify(
      fleetJson({
        outcome: "partial",
        targets: [
          { host: "kvm1", domain: "web1", outcome: "applied", report: reportOf(), takeBack: "qmpctl …" },
          { host: "kvm2", domain: "web1", outcome: "lost", error, key: "2f1c7e0a", finish: "qmpctl -H kvm2 outcome 2f1c7e0a" },
          { host: "kvm3", domain: null, outcome: "unreachable", error: new UnreachableError("kvm3", "timeout", "no answer"), notes: ["x"] },
          { host: "kvm4", domain: "web1", outcome: "unchanged", value: { name: "web1" } },
        ],
        unmatched: ["kvm5"],
        elapsed: 5,
      }),
    ),
  ) as { targets: { outcome: string }[] };
  expect([faultOf(fleet, printed), invalid(fleet.schema(), printed)]).toEqual([undefined, null]);
  (printed.targets[0] as { outcome: string }).outcome = "done";
  expect(invalid(fleet.schema(), printed)).toContain("$.targets[0].outcome");
});

describe("qmpctl schema", () => {
  test("names what there are schemas of", async () => {
    expect((await play(["schema"])).stderr).toContain("NAME: missing; expected config, allocation, report");
    const { code, stderr } = await play(["schema", "confg"]);
    expect(code).toBe(2);
    expect(stderr).toContain("confg: there is no schema of that; expected config, allocation, report");
  });
});
