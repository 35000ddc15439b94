import { describe, expect, test } from "vitest";
import { complete } from "../../../src/cli/shell/complete.ts";
import { Knowledge } from "../../../src/cli/shell/knowledge.ts";
import { asking } from "./schemas.ts";

const objects: Readonly<Record<string, readonly string[]>> = {
  "/": ["machine", "objects"],
  "/machine": ["peripheral", "peripheral-anon", "unattached"],
  "/machine/peripheral": ["balloon0", "rng0"],
  "/machine/peripheral-anon": ["device[0]"],
  "/objects": ["io0", "mem0"],
};

/** A small machine, as it answers. */
const domain = {
  "qom-list": ({ path }: Readonly<Record<string, unknown>>) => [
    { name: "type", type: "string" },
    ...(path === "/machine/peripheral/balloon0" ? [{ name: "guest-stats", type: "struct" }] : []),
    ...(objects[String(path)] ?? []).map((name) => ({ name, type: "child<x-device>" })),
  ],
  "device-list-properties": () => [
    { name: "max-bytes", type: "uint64" },
    { name: "disable-modern", type: "bool" },
  ],
  "query-chardev": () => [{ label: "serial0" }, { label: "compat_monitor0" }],
  "query-named-block-nodes": () => [{ "node-name": "disk0" }],
  "query-block": () => [{ device: "ide0-cd0" }, { device: "" }],
  "query-jobs": () => [{ id: "job0" }],
  "query-iothreads": () => [{ id: "io0" }],
  "query-cpus-fast": () => [{ "cpu-index": 0 }, { "cpu-index": 1 }],
  "query-hotpluggable-cpus": () => [
    { props: { "core-id": 0, "thread-id": 0 }, "qom-path": "/machine/unattached/device[0]" },
    { props: { "core-id": 1, "thread-id": 0 } },
    { props: { "core-id": 1, "thread-id": 1 } },
    { props: { "core-id": 2, "thread-id": 0 }, type: "max-x86_64-cpu" },
  ],
  "human-monitor-command": ({ "command-line": line }: Readonly<Record<string, unknown>>) =>
    ({
      "info network": "hub 0\r\n \\ hub0port0: net0: index=0,type=user\r\nnet0: index=0,type=user,net=10.0.2.0\r\n",
      "info qtree": "bus: main-system-bus\r\n  type System\r\n  dev: q35-pcihost\r\n    bus: pcie.0\r\n",
      help: "info [subcommand] -- show various information\r\nloadvm tag -- restore\r\nquit|q  -- quit the emulator\r\nq|x -- y\r\n",
      "help info": "info balloon  -- show balloon information\r\ninfo block [-v] -- show\r\n",
    })[String(line)],
};

async function completed(line: string, mode: "qmp" | "hmp" = "qmp", version?: string): Promise<readonly string[]> {
  const ask = await asking(domain as unknown as Parameters<typeof asking>[0], version);
  const [hits, word] = await complete(line, { mode, ask, knowledge: new Knowledge(ask) });
  // What readline does with it: the hit stands for the word.
  return hits.map((hit) => line.slice(0, line.length - word.length) + hit);
}

describe("the schema completes", () => {
  test.each([
    ["query-hot", ["query-hotpluggable-cpus "]],
    ["query-st", ["query-stats", "query-stats-schemas", "query-status"]],
    ["exi", ["exit "]],
    ["help ballo", ["help balloon "]],
    ["events SHUT", ["events SHUTDOWN "]],
    ["qom-get ", ["qom-get path=", "qom-get property="]],
    ["qom-get path=/machine pro", ["qom-get path=/machine property="]],
    ["object-add qom-type=iothr", ["object-add qom-type=iothread "]],
    ["object-add qom-type=iothread id=x poll-max", ["object-add qom-type=iothread id=x poll-max-ns="]],
    ["blockdev-add driver=file aio=t", ["blockdev-add driver=file aio=threads "]],
    ["blockdev-add driver=qcow2 file.driver=file file.filen", ["blockdev-add driver=qcow2 file.driver=file file.filename="]],
    ["blockdev-add driver=qcow2 fil", ["blockdev-add driver=qcow2 file.", "blockdev-add driver=qcow2 file="]],
    ["qom-list-types abstract=", ["qom-list-types abstract=false", "qom-list-types abstract=true"]],
    ["nothing-like-it ", []],
    ['query-status {"a', []],
    ['{"execute":"qu', []],
  ])("%j", async (line, expected) => expect((await completed(line)).map((it) => it.trimEnd())).toEqual(expected.map((it) => it.trimEnd())));

  test("a single hit is followed by a blank, what goes on is not", async () => {
    expect(await completed("query-hot")).toEqual(["query-hotpluggable-cpus "]);
    expect(await completed("qom-get path=/machine pro")).toEqual(["qom-get path=/machine property="]);
  });

  test("a list of several screens is shortened, and so only where nothing can be added to what is typed", async () => {
    const names = Array.from({ length: 400 }, (_, index) => `feature-${index}`);
    const ask = await asking({ "device-list-properties": () => names.map((name) => ({ name, type: "bool" })) });
    const sight = { mode: "qmp", ask, knowledge: new Knowledge(ask) } as const;
    const [shown] = await complete("device_add driver=x feature-", sight);
    expect([shown.length, shown.at(-1)]).toEqual([251, "… and 150 more"]);
    const [whole] = await complete("device_add driver=x feat", sight);
    expect(whole).toHaveLength(400);
    // Switches are the first to be left out.
    expect(await complete("device_add driver=x ", sight)).toEqual([["bus=", "id=", "… and 400 more"], ""]);
  });

  test.each(["5.2.0", "7.2.22", "11.1.3"])("of QEMU %s", async (version) => {
    expect(await completed("query-hot", "qmp", version)).toEqual(["query-hotpluggable-cpus "]);
    expect(await completed("balloon ", "qmp", version)).toEqual(["balloon value="]);
  });
});

describe("what lives in the machine completes", () => {
  test.each([
    ["qom-get path=/ma", ["qom-get path=/machine"]],
    ["qom-list path=/machine/per", ["qom-list path=/machine/peripheral", "qom-list path=/machine/peripheral-anon"]],
    ["qom-get path=/machine/peripheral/balloon0 property=gu", ["qom-get path=/machine/peripheral/balloon0 property=guest-stats "]],
    ["device_del id=", ["device_del id=/machine/peripheral-anon/device[0]", "device_del id=balloon0", "device_del id=rng0"]],
    ["device_add driver=virtio-r", ["device_add driver=virtio-rng-pci "]],
    ["device_add driver=max", ["device_add driver=max-x86_64-cpu "]],
    ["device_add driver=x", ["device_add driver=x-device "]],
    ["device_add driver=virtio-rng-pci max", ["device_add driver=virtio-rng-pci max-bytes="]],
    ["device_add driver=virtio-rng-pci disable-modern=t", ["device_add driver=virtio-rng-pci disable-modern=true "]],
    ["device_add bus=pc", ["device_add bus=pcie.0 "]],
    ["device_add driver=x core-id=", ["device_add driver=x core-id=1", "device_add driver=x core-id=2"]],
    [
      "device_add driver=x core-id=1 thread-id=",
      ["device_add driver=x core-id=1 thread-id=0", "device_add driver=x core-id=1 thread-id=1"],
    ],
    ["object-del id=i", ["object-del id=io0 "]],
    ["chardev-remove id=s", ["chardev-remove id=serial0 "]],
    ["netdev_del id=", ["netdev_del id=net0 "]],
    ["job-cancel id=", ["job-cancel id=job0 "]],
    ["blockdev-del node-name=", ["blockdev-del node-name=disk0 "]],
    ["blockdev-add node-name=", []],
    ["block_resize device=", ["block_resize device=disk0", "block_resize device=ide0-cd0"]],
    ["human-monitor-command cpu-index=", ["human-monitor-command cpu-index=0", "human-monitor-command cpu-index=1"]],
  ])("%j", async (line, expected) => expect(await completed(line)).toEqual(expected));

  test("without a question that has QEMU load every module that it finds", async () => {
    const asked: string[] = [];
    const ask: Awaited<ReturnType<typeof asking>> = async (command) => void asked.push(command);
    for (const line of [
      "device_add driver=",
      "device_add driver=x ",
      "device-list-properties typename=",
      "qom-list-types implements=",
      "qom-list-properties typename=",
    ]) {
      await complete(line, { mode: "qmp", ask, knowledge: new Knowledge(ask) });
    }
    expect(asked).not.toContain("qom-list-types");
  });

  test("nothing, without an error, where QEMU does not answer", async () => {
    const ask = async (): Promise<undefined> => undefined;
    for (const line of ["que", "qom-get path=/", "device_del id=", "device_add driver=x id=", "!info "]) {
      expect((await complete(line, { mode: "qmp", ask, knowledge: new Knowledge(ask) }))[0].filter((hit) => !hit.startsWith("qu"))).toEqual(
        [],
      );
    }
  });
});

test.each([
  ["info b", "hmp", ["info balloon", "info block"]],
  ["q", "hmp", ["q", "quit"]],
  ["!lo", "qmp", ["!loadvm "]],
  ["loadvm x", "hmp", []],
] as const)("the human monitor completes %j", async (line, mode, expected) => expect(await completed(line, mode)).toEqual(expected));
