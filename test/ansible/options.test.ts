import { describe, expect, test } from "vitest";
import { domainGiven } from "../../src/ansible/domain-options.ts";
import { infoGiven } from "../../src/ansible/info-options.ts";

describe("the arguments of a task", () => {
  test("have defaults, and members of Ansible's own are none of them", () => {
    expect(domainGiven({ name: "web1", timeout: null, _ansible_check_mode: true })).toEqual({
      name: "web1",
      state: "present",
      scope: "both",
      replace: false,
      force: false,
      on_failure: "undo",
      on_pending: "fail",
    });
    expect(infoGiven({})).toEqual({ name: ["*"], gather: ["diff", "vcpus", "memory"] });
  });

  test("are read as YAML and templates write them", () => {
    const given = { domain: 7, force: "yes", replace: "False", timeout: 30, undo_timeout: "1.5", start_timeout: "2m", recover: "undo" };
    expect(domainGiven(given)).toMatchObject({
      ...{ name: "7", force: true, replace: false, timeout: 30_000, undo_timeout: 1500, start_timeout: 120_000, recover: "undo" },
    });
    expect(infoGiven({ name: "web1, db*", gather: [] })).toMatchObject({ name: ["web1", "db*"], gather: [] });
    expect(infoGiven({ names: [1, "b"] })).toMatchObject({ name: ["1", "b"] });
  });

  test.each<[string, object, string]>([
    ["a slip in an option", { name: "a", allocaton: {} }, "allocaton: there is no such option, did you mean allocation?"],
    ["an option of nobody", { name: "a", zzzzzz: 1 }, "zzzzzz: there is no such option; there are name, state, allocation,"],
    ["no name", {}, "name: it is missing"],
    ["a state of nobody", { name: "a", state: "runing" }, '"runing" is none of present, running, '],
    ["a state with a slip", { name: "a", state: "runing" }, "did you mean running?"],
    ["a name twice", { name: "a", domain: "b" }, "name: it is given twice, also as domain"],
    ["no time", { name: "a", timeout: "soon" }, 'timeout: "soon" is not a time above 0 and at most 24 days'],
    ["no bool", { name: "a", force: "maybe" }, 'force: "maybe" is not true or false'],
    ["no dictionary", { name: "a", allocation: ["memory"] }, 'allocation: ["memory"] is not a dictionary'],
    ["a name that is a list", { name: ["a"] }, 'name: ["a"] is not a text'],
    ["an inherited member", { name: "a", constructor: 1 }, "constructor: there is no such option"],
  ])("are refused, with what would be right: %s", (_, given, message) => {
    expect(() => domainGiven(given)).toThrow(message);
  });

  test("are refused with all that is wrong at once", () => {
    expect(() => domainGiven({ state: "up", force: 2 })).toThrow(
      /state: "up" is none of .*; force: 2 is not true or false; name: it is missing/,
    );
    expect(() => infoGiven({ gather: ["diff", "treads"] })).toThrow('gather: "treads" is none of diff, vcpus, memory, threads');
  });
});
