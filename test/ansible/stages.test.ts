import { describe, expect, test } from "vitest";
import { stagesFor } from "../../src/ansible/stages.ts";
import { wantedIn } from "../../src/ansible/wanted.ts";
import type { DomainInfo } from "../../src/domain/views/inspect.ts";

/** What is done, in short: `apply static, start`. */
function stages(state: string, found: DomainInfo["state"], more: object = {}, transient = false): string {
  const wanted = wantedIn({ name: "web1", state, allocation: state === "absent" ? null : { vcpus: { current: 2 } }, ...more });
  return stagesFor(wanted, { state: found, transient })
    .map((stage) =>
      stage.does === "apply"
        ? `apply ${stage.scope} ${stage.changes.map(({ resource }) => resource).join("+")}`
        : "why" in stage
          ? `refuse: ${stage.why}`
          : "paused" in stage && stage.paused
            ? "start paused"
            : stage.does,
    )
    .join(", ");
}

describe("what is done with a domain", () => {
  test.each<[string, DomainInfo["state"], string]>([
    ["present", "running", "apply both vcpus"],
    ["present", "stopped", "apply static vcpus"],
    ["present", "unreachable", "apply both vcpus"],
    ["running", "running", "apply both vcpus"],
    ["running", "stopped", "apply static vcpus, start"],
    ["running", "paused", "resume, apply both vcpus"],
    ["running", "suspended", "resume, apply both vcpus"],
    ["running", "guest-panicked", "refuse: stuck"],
    ["running", "postmigrate", "refuse: stuck"],
    ["running", "unreachable", "refuse: unreachable"],
    ["paused", "running", "apply both vcpus, suspend"],
    ["paused", "paused", "apply both vcpus"],
    ["paused", "stopped", "apply static vcpus, start paused"],
    ["stopped", "running", "shutdown, apply static vcpus"],
    ["shutdown", "running", "shutdown, apply static vcpus"],
    ["stopped", "stopped", "apply static vcpus"],
    ["destroyed", "unreachable", "destroy, apply static vcpus"],
    ["restarted", "running", "apply static vcpus, restart"],
    ["restarted", "guest-panicked", "apply static vcpus, restart"],
    ["restarted", "stopped", "apply static vcpus, start"],
    ["absent", "stopped", "undefine"],
    ["absent", "running", "undefine"],
  ])("%s, of one that is %s: %s", (state, found, done) => {
    expect(stages(state, found)).toBe(done);
  });

  test("a domain that is to be absent is ended first only by force", () => {
    expect(stages("absent", "running", { force: true })).toBe("destroy, undefine");
    expect(stages("absent", "stopped", { force: true })).toBe("undefine");
  });

  test("a scope of its own is kept; the running half comes after the start", () => {
    expect(stages("running", "stopped", { scope: "dynamic" })).toBe("start, apply dynamic vcpus");
    expect(stages("present", "stopped", { scope: "current" })).toBe("apply static vcpus");
    expect(stages("present", "stopped", { scope: "dynamic" })).toBe("apply dynamic vcpus");
    expect(stages("present", "running", {}, true)).toBe("apply dynamic vcpus");
  });

  test("images are not changed beneath a running machine", () => {
    const allocation = { vcpus: { current: 2 }, disks: { size: { d0: "2GiB" } } };
    expect(stages("restarted", "running", { allocation })).toBe("apply static vcpus, restart, apply both disk-size");
    expect(stages("running", "stopped", { allocation: { disks: { size: { d0: "2GiB" } } } })).toBe("apply static disk-size, start");
    expect(stages("restarted", "running", { allocation: { disks: { size: { d0: "2GiB" } } } })).toBe("restart, apply both disk-size");
  });
});

describe("what a task wants", () => {
  test.each<[string, object, string]>([
    ["an address of another host", { name: "ssh://kvm1/web1" }, "Ansible has gone there already"],
    [
      "an allocation of one that is to be absent",
      { state: "absent", allocation: { vcpus: { current: 1 } } },
      "a domain that is to be absent has none",
    ],
    ["a config of one that is to be absent", { state: "absent", config: {} }, "a domain that is to be absent has none"],
    ["two sources", { config: {}, command_line: ["qemu-system-x86_64"] }, "config and command_line: give only one"],
    ["nothing to replace it with", { replace: true }, "replace: with what?"],
    [
      "a running machine's change of one that is to stop",
      { state: "stopped", scope: "dynamic", allocation: { vcpus: { current: 1 } } },
      "scope: dynamic is about a running machine",
    ],
    ["a config that is none", { config: 7 }, "config: 7 is no dictionary, and no text"],
    ["a command line that is none", { command_line: {} }, "command_line: {} is no list of words, and no line"],
    ["an empty command line", { command_line: [] }, "command_line: [] is no list of words"],
    ["an allocation that asks for nothing", { allocation: {} }, "it asks for nothing"],
    [
      "a slip in the allocation",
      { allocation: { memory: { curent: "1GiB" } } },
      '"curent" of memory: no such key, did you mean "current"?',
    ],
    ["a text that is no JSON", { allocation: "{memory" }, "allocation: "],
  ])("is refused: %s", (_, given, message) => {
    expect(() => wantedIn({ name: "web1", ...given })).toThrow(message);
  });

  test("an allocation may be the text of one, as an ad-hoc command has it", () => {
    expect(wantedIn({ name: "web1", allocation: '{"vcpus": {"current": 2}}' }).changes).toEqual([{ resource: "vcpus", count: 2 }]);
  });
});
