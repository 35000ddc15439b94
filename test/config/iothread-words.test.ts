import { describe, expect, test } from "vitest";
import { editJson } from "../../src/config/edit.ts";
import { formatSettings, parseSettings } from "../../src/config/iothread-settings.ts";
import {
  addIothread,
  editedArgs,
  iothreadsIn,
  otherObject,
  removeIothread,
  setIothread,
  settingsIn,
  usersOf,
} from "../../src/config/iothread-words.ts";

const ARGS = [
  ...["-machine", "q35", "-object", "iothread,id=io0,poll-max-ns=7"],
  ...["-object", '{"qom-type":"iothread","id":"io1"}', "--object", "memory-backend-ram,id=m0,size=1M"],
  ...["-device", "virtio-scsi-pci,iothread=io0", "-device", '{"driver":"virtio-blk-pci","iothread-vq-mapping":[{"iothread":"io1"}]}'],
];

describe("the iothreads of args", () => {
  test("are found in both notations, with what is set of them and who uses them", () => {
    expect(iothreadsIn(ARGS).map(({ id, at }) => [id, at])).toEqual([
      ["io0", 2],
      ["io1", 4],
    ]);
    expect(settingsIn(iothreadsIn(ARGS)[0] ?? ({} as never))).toMatchObject({ "poll-max-ns": 7, "poll-grow": "default" });
    expect(usersOf(ARGS, "io0").map(({ value }) => value)).toEqual(["virtio-scsi-pci,iothread=io0"]);
    expect(usersOf(ARGS, "io1")).toHaveLength(1);
    expect(usersOf(ARGS, "io")).toEqual([]);
    expect(otherObject(ARGS, "m0")?.words).toEqual(["--object", "memory-backend-ram,id=m0,size=1M"]);
    expect(otherObject(ARGS, "io0")).toBeUndefined();
  });

  test.each([
    ["added behind", addIothread(ARGS, "a.b"), [...ARGS, "-object", "iothread,id=a.b"]],
    ["taken out", removeIothread(ARGS, "io0"), ARGS.toSpliced(2, 2)],
    ["taken out in JSON", removeIothread(ARGS, "io1"), ARGS.toSpliced(4, 2)],
    ["not there", removeIothread(ARGS, "m0"), ARGS],
    ["set", setIothread(ARGS, "io0", { "poll-max-ns": "default", "poll-grow": 2 }), ARGS.with(3, "iothread,id=io0,poll-grow=2")],
    [
      "set in JSON",
      setIothread(ARGS, "io1", { "thread-pool-max": 2 }),
      ARGS.with(5, '{"qom-type":"iothread","id":"io1","thread-pool-max":2}'),
    ],
  ])("are %s as a text edit, which gives the same words", (_what, edits, wanted) => {
    const text = JSON.stringify({ args: ARGS }, null, 2);
    expect(JSON.parse(editJson(text, edits ?? []))).toEqual({ args: wanted });
    expect(editedArgs(ARGS, edits ?? [])).toEqual(wanted);
  });

  test("are added where there are no words yet, and left alone in single quotes", () => {
    expect(editJson('{ "name": "x" }', addIothread([], "io0"))).toBe('{ "name": "x", "args": ["-object", "iothread,id=io0"] }');
    expect(setIothread(["-object", "{'qom-type':'iothread','id':'io0'}"], "io0", { "poll-grow": 1 })).toBeNull();
    expect(setIothread(ARGS, "nope", { "poll-grow": 1 })).toBeNull();
  });
});

test.each([
  ["poll-grow=1,poll-max-ns=0", "poll-max-ns=0,poll-grow=1"],
  ["thread-pool-max=default", "thread-pool-max=default"],
  ["poll-max-ns=00010", "poll-max-ns=10"],
])("settings %s are %s", (text, wanted) => {
  const settings = parseSettings(text);
  expect(typeof settings === "string" ? settings : formatSettings(settings)).toBe(wanted);
});

test.each([
  "",
  "poll-max-ns",
  "poll-max-ns=-1",
  "poll-max-ns=1.5",
  "poll-max-ns=1,poll-max-ns=2",
  "constructor=1",
  "poll-max-ns=9007199254740993",
])("%j are no settings", (text) => expect(parseSettings(text)).toEqual(expect.any(String)));
