import { describe, expect, test } from "vitest";
import { Knowledge } from "../../../src/cli/shell/knowledge.ts";
import { parseStatement } from "../../../src/cli/shell/statement.ts";
import { membersOf } from "../../../src/cli/shell/typed.ts";
import { asking } from "./schemas.ts";

const properties = [
  { name: "serial", type: "str" },
  { name: "num-queues", type: "uint16" },
  { name: "iothread", type: "link<iothread>" },
  { name: "share-rw", type: "bool" },
  { name: "werror", type: "BlockdevOnError" },
];

/** The arguments of a line as they go to a QEMU with that schema. */
async function sent(line: string, version?: string): Promise<unknown> {
  const knowledge = new Knowledge(
    await asking({ "device-list-properties": ({ typename }) => (typename === "virtio-blk-pci" ? properties : undefined) }, version),
  );
  const statement = parseStatement(line);
  if (statement.kind !== "command") throw new Error(`${line}: ${statement.kind}`);
  const given = (key: string): string | undefined =>
    statement.pairs.flatMap(({ key: other, value }) => (key === other && value.kind !== "json" ? [value.text] : []))[0];
  const members = membersOf(statement.pairs, await knowledge.types(statement.name, given));
  return members === undefined
    ? undefined
    : JSON.parse(JSON.stringify(members, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)));
}

describe("a value has the type that the schema says", () => {
  test.each([
    ["query-status", undefined],
    ["balloon value=314572800", { value: 314572800 }],
    ["balloon value=300M", { value: 314572800 }],
    ["balloon value=18446744073709551615", { value: "18446744073709551615n" }],
    ["device_del id=0", { id: "0" }],
    ["device_del id=512M", { id: "512M" }],
    ["human-monitor-command command-line='info status' cpu-index=1", { "command-line": "info status", "cpu-index": 1 }],
    // `any` is what it looks like, and a string in quotes.
    ["qom-set path=/objects/x property=y value=5", { path: "/objects/x", property: "y", value: 5 }],
    ["qom-set path=/objects/x property=y value='5'", { path: "/objects/x", property: "y", value: "5" }],
    ["qom-list-types abstract=off implements=device", { abstract: false, implements: "device" }],
    // A union's branch, chosen by its tag wherever that stands.
    [
      "object-add size=64M qom-type=memory-backend-ram id=1 share=on",
      { size: 67108864, "qom-type": "memory-backend-ram", id: "1", share: true },
    ],
    [
      "blockdev-add driver=qcow2 node-name=1 file.driver=file file.filename=5 file.aio=threads",
      { driver: "qcow2", "node-name": "1", file: { driver: "file", filename: "5", aio: "threads" } },
    ],
    // An alternate: the name of a node, or a node's description.
    ["blockdev-add driver=raw file=7", { driver: "raw", file: "7" }],
    [
      "migrate-set-capabilities capabilities.0.capability=xbzrle capabilities.0.state=true",
      { capabilities: [{ capability: "xbzrle", state: true }] },
    ],
    ["migrate-set-parameters downtime-limit=100 tls-creds=null", { "downtime-limit": 100, "tls-creds": null }],
    ["a-command-of-later x=1 y=z", { x: 1, y: "z" }],
  ])("%s", async (line, expected) => expect(await sent(line)).toEqual(expected));

  test("and the device's own properties for device_add, of which the schema knows nothing", async () => {
    const line = "device_add driver=virtio-blk-pci id=7 serial=007 num-queues=2 iothread=0 share-rw=on werror=stop other=1";
    expect(await sent(line)).toEqual({
      driver: "virtio-blk-pci",
      id: "7",
      serial: "007",
      "num-queues": 2,
      iothread: "0",
      "share-rw": true,
      werror: "stop",
      other: 1,
    });
  });

  test.each(["5.2.0", "7.2.22", "11.1.3"])("on QEMU %s too", async (version) => {
    expect(await sent("object-add qom-type=memory-backend-ram id=1 props.size=1", version)).toMatchObject({ id: "1" });
    expect(await sent("device_del id=0", version)).toEqual({ id: "0" });
  });
});

describe("what does not fit is told before it is sent", () => {
  test.each([
    ["balloon value=much", 'value=much: "much" is not an integer'],
    ["balloon value=1.5", "not an integer"],
    ["qom-list-types abstract=maybe", '"maybe" is not true or false'],
    ["query-stats target=nowhere", "is not one of vm, vcpu, cryptodev"],
    ["migrate-set-capabilities capabilities=x", "needs a list"],
    ["device_del id=1 id=2", "id has a value already"],
  ])("%s", async (line, message) => {
    await expect(sent(line)).rejects.toMatchObject({ code: "usage", message: expect.stringContaining(message) as string });
  });
});
