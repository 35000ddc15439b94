import { describe, expect, test } from "vitest";
import { meantAllocation, membersOf, SHAPE_WORDS, shapeOfMember } from "../../src/ansible/meant-values.ts";
import { changesOf, fileKeys } from "../../src/domain/resources/allocation.ts";

/** The words that stand in a shape. */
function wordsOf(shape: string): readonly string[] {
  return shape.startsWith("{") ? membersOf(shape).flatMap((member) => wordsOf(member.shape)) : [shape];
}

describe("an allocation as a task has it", () => {
  test.each(fileKeys().map(({ place, shape }) => [place, shape] as const))("%s: each word of its shape is known: %s", (_, shape) => {
    expect(wordsOf(shape).length).toBeGreaterThan(0);
    expect(wordsOf(shape).filter((word) => !SHAPE_WORDS.includes(word))).toEqual([]);
  });

  test.each<[string, object, object]>([
    ["sizes with units stay", { memory: { current: "2GiB" } }, { memory: { current: "2GiB" } }],
    ["a number is bytes", { memory: { current: 2147483648 } }, { memory: { current: "2147483648B" } }],
    [
      "also as a template's text",
      { memory: { max: "2147483648", dimms: { a: 1073741824, b: null } } },
      { memory: { max: "2147483648B", dimms: { a: "1073741824B", b: null } } },
    ],
    ["nothing is nothing", { memory: { plugged: { vm0: 0 } } }, { memory: { plugged: { vm0: "0" } } }],
    [
      "a count as a text",
      { vcpus: { current: "4", max: 8 }, cpu: { weight: "200" } },
      { vcpus: { current: 4, max: 8 }, cpu: { weight: 200 } },
    ],
    ["one CPU is a list", { vcpus: { pin: { 0: 3, 1: [0, "2-4"], 2: "5" } } }, { vcpus: { pin: { 0: "3", 1: "0,2-4", 2: "5" } } }],
    [
      "a template's true",
      { iothreads: { present: { io1: "True" }, set: { io1: { "poll-max-ns": "0" } } } },
      { iothreads: { present: { io1: true }, set: { io1: { "poll-max-ns": 0 } } } },
    ],
    [
      "limits of a disk: a rate of any size",
      { disks: { throttle: { d0: { iops: "100", bps: "1MiB", "iops-size": "4096", "bps-rd": "1048576", group: "7" } } } },
      { disks: { throttle: { d0: { iops: 100, bps: "1MiB", "iops-size": 4096, "bps-rd": 1048576, group: "7" } } } },
    ],
    [
      "what is no allocation is left to its reader",
      { memori: 1, memory: "x", vcpus: { curent: "2" } },
      { memori: 1, memory: "x", vcpus: { curent: "2" } },
    ],
  ])("%s", (_, given, meant) => {
    expect(meantAllocation(given as never)).toEqual(meant);
  });

  test("becomes changes", () => {
    expect(changesOf(meantAllocation({ memory: { current: "2147483648" }, vcpus: { current: "2", pin: { 1: 0 } } }) as never)).toEqual([
      { resource: "memory", size: 2147483648 },
      { resource: "vcpus", count: 2 },
      { resource: "vcpu-pin", vcpu: 1, cpus: "0" },
    ]);
  });

  test.each([2048, "2097152", 67108863])("a bare number that may be MiB or KiB is refused: %s", (value) => {
    expect(() => meantAllocation({ memory: { current: value } })).toThrow(
      `allocation: memory.current is ${JSON.stringify(value)}: a bare number is bytes here, and so few are rarely meant; write it with its unit, as "${value}M"`,
    );
  });

  test("the shape of a member is that of its name, or of all", () => {
    expect(membersOf('{"a": {"b": [WORD, …]}, "c": N, …}')).toEqual([
      { name: "a", shape: '{"b": [WORD, …]}' },
      { name: "c", shape: "N" },
    ]);
    expect([shapeOfMember('{"ID": SIZE}', "x"), shapeOfMember('{"iops": COUNT, "bps": SIZE, …}', "group")]).toEqual(["SIZE", "FILE"]);
  });
});
