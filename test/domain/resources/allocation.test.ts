import { describe, expect, test } from "vitest";
import { configOf, GIB, MIB } from "../../../scripts/lab/facts.ts";
import { changesOf, readAllocation } from "../../../src/domain/resources/allocation.ts";
import type { WantedAllocation } from "../../../src/domain/resources/registry.ts";
import { UsageError } from "../../../src/errors.ts";
import { definedDomain, runningDomain } from "../scene.ts";

describe("a wanted allocation", () => {
  test("is a set of changes, with the maxima first", () => {
    expect(changesOf({ vcpus: { pin: { 1: "0-1", 0: null }, current: 2, max: 4 }, memory: { current: "300M", max: "2GiB" } })).toEqual([
      { resource: "max-memory", size: 2 * GIB },
      { resource: "max-vcpus", count: 4 },
      { resource: "memory", size: 300 * MIB },
      { resource: "vcpus", count: 2 },
      { resource: "vcpu-pin", vcpu: 0, cpus: "all" },
      { resource: "vcpu-pin", vcpu: 1, cpus: "0-1" },
    ]);
  });

  test("takes nothing for a DIMM that is to go, as a device that is to give nothing", () => {
    const gone = [{ resource: "dimm", id: "x", size: 0, node: 0 }];
    expect(changesOf({ memory: { dimms: { x: null } } })).toEqual(gone);
    expect(changesOf({ memory: { dimms: { x: "0" } } })).toEqual(gone);
  });

  test.each<[unknown, RegExp]>([
    [{}, /asks for nothing/],
    [{ memory: {}, vcpus: { pin: {} } }, /asks for nothing/],
    [null, /the whole/],
    [[], /the whole/],
    ["300M", /the whole/],
    [{ memory: "300M" }, /memory/],
    [{ memory: { current: 300 } }, /memory\.current/],
    [{ memory: { current: "300" } }, /300/],
    [{ memory: { currant: "300M" } }, /currant/],
    [{ cpus: 4 }, /cpus/],
    [{ vcpus: { current: "4" } }, /vcpus\.current/],
    [{ vcpus: { pin: { a: "0" } } }, /vcpus\.pin\.a/],
    [{ vcpus: { pin: { "-1": "0" } } }, /vcpus\.pin\.-1/],
    [{ vcpus: { pin: { 0: 1 } } }, /vcpus\.pin\.0/],
  ])("is refused, and the place named: %j", (allocation, why) => {
    const error = failureOf(() => changesOf(allocation as WantedAllocation));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(why);
    expect(error.message).toMatch(/^[^\n]+[^.\n]$/);
  });

  test("that is no JSON names the file", () => {
    expect(failureOf(() => readAllocation("{", "wanted.json")).message).toMatch(/^wanted\.json: \S/);
    expect(readAllocation('{"vcpus":{"current":2}}', "wanted.json")).toEqual({ vcpus: { current: 2 } });
  });
});

describe("applying one", () => {
  const wanted: WantedAllocation = { memory: { current: "300MiB" }, vcpus: { current: 3, pin: { 2: "0", 0: null } } };

  test("makes it so, all as one, and changes nothing the second time", async () => {
    const { domain, qemu, text, sent } = await runningDomain();
    expect(await domain.apply(wanted, { scope: "both" })).toMatchObject({ outcome: "applied" });
    expect([qemu.actual, qemu.plugged.size]).toEqual([300 * MIB, 3]);
    expect(JSON.parse(await text())).toMatchObject({ memory: { current: "300MiB" }, vcpus: { current: 3, pin: { 2: "0" } } });
    const [commands, before] = [sent().length, await text()];
    expect(await domain.apply(wanted, { scope: "both" })).toMatchObject({ outcome: "unchanged" });
    expect([sent().length, await text()]).toEqual([commands, before]);
  });

  test("does the difference only", async () => {
    const { domain, sent } = await runningDomain({ scene: await definedDomain(configOf()) });
    await domain.apply({ memory: { current: "1GiB" }, vcpus: { current: 3 } });
    expect(sent().map((line) => line.split(" ")[0])).toEqual(["device_add"]);
  });

  test("is refused as a whole where a part of it can't be", async () => {
    const { domain, sent, text } = await runningDomain();
    const before = await text();
    await expect(domain.apply({ memory: { current: "3GiB" }, vcpus: { current: 9 } }, { scope: "both" })).rejects.toMatchObject({
      code: "refused",
      report: { refusals: { length: 4 } },
    });
    expect([sent(), await text()]).toEqual([[], before]);
  });

  test("raises a maximum and what needs it together", async () => {
    const { domain, text } = await definedDomain();
    expect(await domain.apply({ memory: { current: "3GiB", max: "4GiB" }, vcpus: { current: 6, max: 8, pin: { 7: "0" } } })).toMatchObject({
      outcome: "applied",
    });
    expect(JSON.parse(await text())).toMatchObject({
      memory: { max: "4GiB", current: "3GiB" },
      vcpus: { max: 8, current: 6, pin: { 7: "0" } },
    });
  });
});

function failureOf(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}
