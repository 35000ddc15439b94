import { describe, expect, test } from "vitest";
import { configOf, diskOf, factsOf, liveOf, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { withId } from "../../../src/config/device-words-text.ts";
import { splitOptions } from "../../../src/config/options.ts";
import { deadlineIn } from "../../../src/deadline.ts";
import type { Facts } from "../../../src/domain/facts/facts.ts";
import type { Live } from "../../../src/domain/facts/live.ts";
import { backendArguments } from "../../../src/domain/resources/device-arguments.ts";
import { readDeviceText } from "../../../src/domain/resources/device-text.ts";
import { type Change, stepKindOf } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { CommandError } from "../../../src/qmp/errors.ts";

const RNG = "-device virtio-rng-pci,id=rng1";
const DISK = "-blockdev file,node-name=f1,filename=/a.raw -blockdev raw,node-name=n1,file=f1 -device virtio-blk-pci,drive=n1,id=d1";
const NIC = "-netdev user,id=n1 -device virtio-net-pci,netdev=n1,id=nic";
const device = (id: string, words = "absent"): Change => ({ resource: "device", id, words });
const facts = (devices: Readonly<Record<string, string>>, more: Partial<Live> = {}, of: Partial<Facts> = {}) =>
  factsOf({ live: liveOf({ devices: new Map(Object.entries(devices)), ...more }), ...of });
const argsAfter = (change: Change, args: readonly string[]): unknown => {
  const { text, refusals } = planOf(change, "static", stoppedFacts({ config: configOf({ args }) }));
  expect(refusals).toEqual([]);
  return text === null ? null : (JSON.parse(text) as { args: unknown }).args;
};

describe("device in the config", () => {
  test("is its words at the end of args, and gone again with what only it uses", () => {
    const args = ["-machine", "q35"];
    const words = readDeviceText(DISK);
    const after = argsAfter(device("d1", DISK), args) as string[];
    expect(after).toEqual([...args, ...DISK.split(" ")]);
    expect(words.backends.map(({ value }) => value)).toEqual(["file,node-name=f1,filename=/a.raw", "raw,node-name=n1,file=f1"]);
    expect(argsAfter(device("d1"), after)).toEqual(args);
    expect(argsAfter(device("d1", DISK), after)).toBeNull();
  });

  test("leaves what another device uses too, and words that look alike", () => {
    const shared = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,id=a", "-device", "e1000,netdev=n,id=b", "-serial", "null"];
    expect(argsAfter(device("a"), shared)).toEqual([...shared.slice(0, 2), ...shared.slice(4)]);
    expect(argsAfter(device("x"), ["-device", '{"driver":"virtio-rng-pci","id":"x"}', "-append", "-device"])).toEqual([
      "-append",
      "-device",
    ]);
  });

  test("is not removed while it carries others on its bus, in either half", () => {
    const args = ["-device", "virtio-scsi-pci,id=sc", "-device", "scsi-hd,bus=sc.0,drive=x,id=d1", "-device", "e1000,bus=scx"];
    const stopped = planOf(device("sc"), "static", stoppedFacts({ config: configOf({ args }) }));
    expect(reasonsOf(stopped)).toEqual(["static: device sc carries d1 on its bus"]);
    const live = facts({ sc: "virtio-scsi-pci", d1: "scsi-hd" }, {}, { config: configOf({ args }) });
    expect(reasonsOf(planOf(device("sc"), "dynamic", live))).toEqual(["dynamic: device sc carries d1 on its bus"]);
    const without = facts({ sc: "virtio-scsi-pci" }, {}, { config: configOf({ args }) });
    expect(planOf(device("sc"), "dynamic", without).refusals).toEqual([]);
  });

  test("of a disk takes its limits along, as a config that limits a disk which is not there does not start", () => {
    const config = { ...configOf({ args: DISK.split(" ") }), disks: { throttle: { d1: { iops: 5 }, d2: { iops: 6 } } } };
    const { text } = planOf(device("d1"), "static", stoppedFacts({ config }));
    expect(JSON.parse(text ?? "")).toMatchObject({ args: [], disks: { throttle: { d2: { iops: 6 } } } });
    expect(JSON.parse(text ?? "").disks.throttle).not.toHaveProperty("d1");
  });

  test("a network and a disk may have one name: each device has its own, and takes it along", () => {
    const args = ["-blockdev", "null-co,node-name=n1", "-device", "virtio-blk-pci,drive=n1,id=d", ...NIC.split(" ")];
    expect(argsAfter(device("nic"), args)).toEqual(args.slice(0, 4));
    expect(argsAfter(device("d"), args)).toEqual(NIC.split(" "));
  });

  test("into a config without args", () => expect(argsAfter(device("rng1", RNG), [])).toEqual(RNG.split(" ")));

  test("is refused under an id that is taken, and for what has a verb of its own", () => {
    const wrong = (change: Change, args: readonly string[]) =>
      reasonsOf(planOf(change, "static", stoppedFacts({ config: configOf({ args }) })));
    expect(wrong(device("rng1", "-device virtio-blk-pci,id=rng1"), RNG.split(" "))).toEqual([
      `static: the config has a device rng1 with other words: ${RNG}`,
    ]);
    expect(wrong(device("b", "-device virtio-balloon-pci,id=b"), [])).toEqual([expect.stringContaining("has a verb of its own")]);
    expect(wrong(device("balloon0"), ["-device", "virtio-balloon-pci,id=balloon0"])).toEqual([expect.stringContaining("verb of its own")]);
    expect(wrong(device("v", "-device max-x86_64-cpu,id=v"), [])).toEqual([expect.stringContaining("verb of its own")]);
  });
});

test.each([
  ["no device", "-netdev user,id=n", /no -device/],
  ["two devices", "-device a,id=a -device b,id=b", /more than one/],
  ["an option that is none of them", "-device a,id=a -monitor stdio", /-monitor stdio: only/],
  ["no id", "-device virtio-rng-pci", /needs an id/],
  ["an id that QEMU would not take", "-device virtio-rng-pci,id=1x", /needs an id/],
  ["an option without its value", "-device", /a value is missing/],
])("words with %s are no device", (_, words, why) => expect(() => planOf(device("a", words), "both")).toThrow(why));

test("words of another id than the change's are refused", () =>
  expect(() => planOf(device("other", RNG), "both")).toThrow(/its words have another id/));

test("a device without an id gets one, always the same", () => {
  const [, words = ""] = withId(["-device", "virtio-rng-pci"]);
  expect(words).toMatch(/^virtio-rng-pci,id=virtio-rng-pci-[0-9a-f]{4}$/);
  expect(withId(["-device", "virtio-rng-pci"])[1]).toBe(words);
  expect(JSON.parse(withId(["-device", '{"driver": "virtio-rng-pci"}'])[1] ?? "")).toMatchObject({ id: expect.stringMatching(/^virtio/) });
  expect(withId(["-device", "virtio-rng-pci,id=x"])).toEqual(["-device", "virtio-rng-pci,id=x"]);
});

test("words with blanks and quotes come back from the text as they were", () => {
  const words = ["-blockdev", "file,node-name=n,filename=/it's, a b.raw", "-device", "virtio-blk-pci,drive=n,id=d"];
  const { id, backends } = readDeviceText(
    String(
      (
        planOf(device("d", `-blockdev 'file,node-name=n,filename=/it'\\''s, a b.raw' -device virtio-blk-pci,drive=n,id=d`), "static")
          .changes[0]?.change as { words: string }
      ).words,
    ),
  );
  expect([id, backends[0]?.value]).toEqual(["d", words[1]]);
});

describe("what QEMU is sent for a backend", () => {
  const of = (name: string, value: string): unknown => backendArguments(splitOptions([`-${name}`, value])[0] as never);
  test.each([
    [
      "blockdev",
      "raw,node-name=n,read-only=on,file.driver=file,file.filename=123,size=5",
      { driver: "raw", "node-name": "n", "read-only": true, file: { driver: "file", filename: "123" }, size: 5 },
    ],
    ["blockdev", '{"driver":"null-co","node-name":"n","size":5}', { driver: "null-co", "node-name": "n", size: 5 }],
    ["netdev", "user,id=7,restrict=on,hostfwd=tcp::1-:2", { type: "user", id: "7", restrict: true, hostfwd: [{ str: "tcp::1-:2" }] }],
    [
      "blockdev",
      "quorum,node-name=q,vote-threshold=1,children.0=a,children.1=b",
      { driver: "quorum", "node-name": "q", "vote-threshold": 1, children: ["a", "b"] },
    ],
  ])("-%s %s", (name, value, expected) => expect(of(name, value)).toEqual(expected));
});

describe("device on the running machine", () => {
  test("is made from its words, what it uses first, and freed in the other order", () => {
    const [{ step } = { step: { kind: "" } }] = planOf(device("d1", DISK), "dynamic", facts({})).steps;
    expect(stepKindOf(step).sends(step, facts({}))).toMatch(
      /^blockdev-add file.*; blockdev-add raw.*; device_add virtio-blk-pci,drive=n1,id=d1$/,
    );
    expect(stepKindOf(step).undoing(step, facts({}))).toBe(
      'device_del {"id":"d1"}; blockdev-del {"node-name":"n1"}; blockdev-del {"node-name":"f1"}',
    );
  });

  test("is there already if its driver and its node are, and another one is refused", () => {
    const disk = { ...diskOf({ name: "d1" }), medium: { ...diskOf().medium, node: "n1" } as never };
    expect(planOf(device("d1", DISK), "dynamic", facts({ d1: "virtio-blk-pci" }, { disks: [disk] })).changes[0]?.dynamic?.needed).toBe(
      false,
    );
    const other = { ...disk, medium: { ...diskOf().medium, node: "n2" } as never };
    for (const it of [facts({ d1: "virtio-blk-pci" }, { disks: [other] }), facts({ d1: "virtio-rng-pci" })])
      expect(reasonsOf(planOf(device("d1", DISK), "dynamic", it))).toEqual([expect.stringContaining("another device d1")]);
  });

  test("on a PCI Express machine needs a free port, with the words to add", () => {
    const config = configOf({ args: ["-machine", "q35,accel=kvm"] });
    const on = (bus: string, ports: Live["ports"]) =>
      planOf(device("rng1", RNG + bus), "dynamic", facts({}, ports === undefined ? {} : { ports }, { config })).refusals;
    expect(on("", undefined)).toMatchObject([
      { reason: expect.stringContaining("no port"), instead: expect.stringContaining('"pcie-root-port,id=rp1') },
    ]);
    const ports = [
      { id: "rp1", devices: ["d9"] },
      { id: "rp2", devices: [] },
    ];
    expect(on("", ports)).toMatchObject([{ instead: "bus=rp2, which is free" }]);
    expect(on(",bus=rp1", ports)).toMatchObject([{ reason: "port rp1 is taken by d9", instead: "bus=rp2, which is free" }]);
    expect(on(",bus=rp2", ports)).toEqual([]);
  });

  test("the words of a port to add are none that the machine has already", () => {
    const config = configOf({
      args: ["-machine", "q35", "-device", "pcie-root-port,id=rp1,chassis=2", "-device", "pcie-root-port,id=a,chassis=3"],
    });
    const ports = ["rp1", "a"].map((id) => ({ id, devices: ["x"] }));
    const live = { rp1: "pcie-root-port", a: "pcie-root-port", rp4: "virtio-rng-pci" };
    expect(planOf(device("rng1", RNG), "dynamic", facts(live, { ports }, { config })).refusals).toMatchObject([
      { instead: 'add "-device", "pcie-root-port,id=rp5,chassis=5,slot=5" to args for the next start, and then bus=rp5' },
    ]);
  });

  test("is not plugged from a -drive, and the words of a block node are told", () => {
    const words = "-drive if=none,id=x,file=/a.raw,format=raw -device virtio-blk-pci,drive=x,id=d1";
    expect(planOf(device("d1", words), "dynamic", facts({})).refusals).toMatchObject([
      { instead: "-blockdev driver=raw,node-name=x,file.driver=file,file.filename=/a.raw" },
    ]);
    expect(planOf(device("d1", words), "static", stoppedFacts()).refusals).toEqual([]);
  });

  test("what never can be plugged waits for the next start, and does not spoil a revert", () => {
    const it = facts({}, {}, { config: configOf({ args: ["-device", "ide-cd,id=cd", ...RNG.split(" ")] }) });
    expect(planOf(device("cd", "-device ide-cd,id=cd"), "dynamic", it).refusals).toMatchObject([
      { reason: expect.stringContaining("no device that can be plugged"), instead: expect.stringContaining("-device help") },
    ]);
    expect(diffOf(it).find(({ resource }) => resource === "device cd")?.why).toContain("waits for the next start");
    expect(changesToRevert(it).filter(({ resource }) => resource === "device")).toEqual([device("rng1", RNG)]);
  });

  test("plugged by others is told and unplugged by revert; its words are not made up by persist", () => {
    const it = facts({ theirs: "virtio-blk-pci" });
    expect(diffOf(it).find(({ resource }) => resource === "device theirs")).toMatchObject({
      live: "-device virtio-blk-pci,id=theirs",
      why: expect.stringContaining("somebody else"),
    });
    expect(changesToPersist(it).filter(({ resource }) => resource === "device")).toEqual([]);
    expect(changesToRevert(it).filter(({ resource }) => resource === "device")).toEqual([device("theirs")]);
    const [{ step } = { step: { kind: "" } }] = planOf(device("theirs"), "dynamic", it).steps;
    expect(stepKindOf(step).undoing(step, it)).toBeUndefined();
    expect(stepKindOf(step).noUndo?.(step)).toContain("does not tell its words");
  });

  test("that we plugged is persisted in its words, and undone in them", () => {
    const it = facts({ rng1: "virtio-rng-pci" }, {}, { asked: { devices: { rng1: RNG } } });
    expect(changesToPersist(it)).toContainEqual(device("rng1", RNG));
    const [{ step } = { step: { kind: "" } }] = planOf(device("rng1"), "dynamic", it).steps;
    expect(stepKindOf(step).inverse(step, liveOf({ devices: new Map() }), it.live)).toEqual([
      { kind: "attach-device", id: "rng1", words: RNG },
    ]);
  });

  test("that the guest was told to release is told so, and noted until it has gone", () => {
    const it = facts(
      { rng1: "virtio-rng-pci" },
      {},
      { asked: { devices: { rng1: RNG }, detaching: ["rng1"] }, config: configOf({ args: RNG.split(" ") }) },
    );
    expect(diffOf(it).find(({ resource }) => resource === "device rng1")?.why).toContain("waits for the guest");
    const step = { kind: "detach-device", id: "rng1", words: RNG };
    const noted = (outcome: "pending" | "done") => stepKindOf(step).notedAfter?.({ devices: { rng1: RNG } }, { step, outcome });
    expect(noted("pending")).toMatchObject({ detaching: ["rng1"] });
    expect(noted("done")).toEqual({ devices: {}, detaching: [] });
  });

  test("is not asked to go before its guest has started, where only the guest can let it go; revert says so", () => {
    const status = { status: "prelaunch", running: false } as const;
    const it = facts({ rng1: "virtio-rng-pci", sd: "scsi-hd" }, status, { asked: { devices: { rng1: RNG } } });
    expect(planOf(device("rng1"), "dynamic", it).refusals).toMatchObject([
      { reason: expect.stringContaining("has not started yet"), instead: expect.stringContaining("qmpctl resume") },
    ]);
    expect(planOf(device("sd"), "dynamic", it).refusals).toEqual([]);
    expect(changesToRevert(it).filter(({ resource }) => resource === "device")).toEqual([device("rng1"), device("sd")]);
    const step = { kind: "detach-device", id: "rng1", words: RNG };
    expect(stepKindOf(step).goesOn?.(liveOf(status))).toBe(false);
    expect(stepKindOf(step).goesOn?.(liveOf({ status: "paused", running: false }))).toBe(true);
  });

  test.each(["postmigrate", "shutdown", "guest-panicked"])("neither comes nor goes where the guest is %s", (status) => {
    const it = facts({ rng1: "virtio-rng-pci" }, { status, running: false });
    for (const change of [device("rng1"), device("r2", "-device virtio-rng-pci,id=r2")])
      expect(reasonsOf(planOf(change, "dynamic", it))).toEqual([expect.stringContaining("so nothing can be changed with it")]);
  });

  test("has gone when its node is not found any more, whatever QEMU calls that", async () => {
    const asked: string[] = [];
    const session = {
      execute: async (command: string) => {
        asked.push(command);
        if (command === "qom-list") return [];
        throw new CommandError(command, { class: "GenericError", desc: "Failed to find node with node-name='n1'" });
      },
    };
    const step = { kind: "detach-device", id: "d1", words: DISK };
    const events = () => ({ async *[Symbol.asyncIterator]() {}, [Symbol.dispose]() {} });
    const monitor = { session: { events }, ask: (doing: (of: unknown) => unknown) => doing(session) };
    const work = { monitor, live: liveOf(), deadline: deadlineIn(2_000) } as never;
    expect(await stepKindOf(step).readBack(step, work)).toEqual({ outcome: "done" });
    expect(asked.filter((command) => command === "blockdev-del")).toHaveLength(2);
  });

  test("in the config does not get words that the next start would fail with", () => {
    const args = ["-netdev", "user,id=n", "-device", "e1000,netdev=n,id=a"];
    const config = configOf({ args });
    const words = "-netdev user,id=n -device e1000,netdev=n,id=b";
    expect(reasonsOf(planOf(device("b", words), "both", facts({}, {}, { config })))).toEqual([
      "static: the next start would fail: there are two of network backend n",
      "static: the next start would fail: two devices use network n",
    ]);
    // What is wrong in it already is not this change's.
    const wrong = configOf({ args: [...args, ...args] });
    expect(planOf(device("rng1", RNG), "static", stoppedFacts({ config: wrong })).refusals).toEqual([]);
  });
});
