import { expect, test } from "vitest";
import { readDeviceWords } from "../../../src/config/device-words-text.ts";
import { splitOptions } from "../../../src/config/options.ts";
import { mustBeSendable, sendBackend, sendDevice } from "../../../src/domain/resources/device-arguments.ts";
import { CommandError } from "../../../src/qmp/errors.ts";
import type { Session } from "../../../src/qmp/session.ts";

type Members = Readonly<Record<string, unknown>>;
type Types = Readonly<Record<string, (value: unknown) => string | undefined>>;

const option = (name: string, value: string) => splitOptions([`-${name}`, value])[0] ?? expect.fail();
const at = (members: unknown, key: string): unknown =>
  key.split(".").reduce((value, each) => (value as Members | undefined)?.[each], members);

/** QEMU as it takes these keys: each says which type it wants if it gets another. */
function qemu(types: Types): { readonly sent: Members[]; take(members: Members): Promise<void> } {
  const sent: Members[] = [];
  return {
    sent,
    take: async (members) => {
      sent.push(members);
      const wrong = Object.entries(types).find(([key, fault]) => fault(at(members, key)) !== undefined);
      if (wrong !== undefined)
        throw new CommandError("blockdev-add", { class: "GenericError", desc: wrong[1](at(members, wrong[0])) ?? "" });
    },
  };
}

/** What QEMU says of another type: of most commands, and of numbers that may have a unit. */
const wants =
  (key: string, type: "string" | "integer" | "boolean") =>
  (value: unknown): string | undefined =>
    (type === "integer" ? Number.isInteger(value) : typeof value === type)
      ? undefined
      : `Invalid parameter type for '${key}', expected: ${type}`;
const wantsSize =
  (key: string) =>
  (value: unknown): string | undefined =>
    typeof value === "number" ? undefined : `Parameter '${key}' expects uint64`;

test("a value gets the type that QEMU asks for, at any depth, and the text that was typed is not lost by a guess", async () => {
  const { sent, take } = qemu({
    "image.size": wants("image.size", "integer"),
    label: wants("label", "string"),
    flag: wants("flag", "boolean"),
    buffer: wantsSize("buffer"),
  });
  await sendBackend(option("blockdev", "blkdebug,node-name=b,image.driver=null-co,image.size=0x100000,label=007,flag=y,buffer=1M"), take);
  expect(sent.at(-1)).toEqual({
    driver: "blkdebug",
    "node-name": "b",
    image: { driver: "null-co", size: 1_048_576 },
    label: "007",
    flag: true,
    buffer: 1_048_576,
  });
  expect(sent).toHaveLength(5);
});

test("a value that can't have the type is sent twice and no more, and QEMU's words are told", async () => {
  const { sent, take } = qemu({ size: wants("size", "integer") });
  await expect(sendBackend(option("blockdev", "null-co,node-name=n,size=much"), take)).rejects.toThrow(/'size', expected: integer/);
  expect(sent).toHaveLength(2);
});

test("what QEMU says of anything else is not tried again", async () => {
  const { sent, take } = qemu({ file: () => "Parameter 'file' is missing" });
  await expect(sendBackend(option("blockdev", "raw,node-name=n"), take)).rejects.toThrow(/is missing/);
  expect(sent).toHaveLength(1);
});

test("of a key that is given several times, none is lost", async () => {
  const { sent, take } = qemu({});
  await sendBackend(option("netdev", "user,id=n,hostfwd=tcp::1-:22,restrict=on,hostfwd=tcp:a,,b:2-:80,dnssearch=x,dnssearch=y"), take);
  expect(sent).toEqual([
    {
      type: "user",
      id: "n",
      restrict: true,
      hostfwd: [{ str: "tcp::1-:22" }, { str: "tcp:a,b:2-:80" }],
      dnssearch: [{ str: "x" }, { str: "y" }],
    },
  ]);
});

test("a property of a device is typed as the driver has it, or as QEMU then asks for it", async () => {
  const sent: unknown[] = [];
  const execute = async (command: string, args: Members): Promise<unknown> => {
    if (command === "device-list-properties") return [{ name: "bootindex", type: "int32" }];
    sent.push(args);
    if (args["vectors"] === "4")
      throw new CommandError(command, { class: "GenericError", desc: "Invalid parameter type for 'vectors', expected: integer" });
    return {};
  };
  await sendDevice(option("device", "virtio-net-pci,id=n,bootindex=-1,vectors=4,addr=3"), { execute } as unknown as Session);
  expect(sent.at(-1)).toEqual({ driver: "virtio-net-pci", id: "n", bootindex: -1, vectors: 4, addr: "3" });
});

test.each([
  ["a key that is a value and has keys of its own", "-blockdev null-co,node-name=n,file=a,file.driver=b", /file is given as a value/],
  ["the same the other way round", "-blockdev null-co,node-name=n,file.driver=b,file=a", /file is given as a value/],
  ["JSON that is none", "-blockdev {x}", /not JSON/],
])("%s is refused before anything is sent", (_, words, why) => {
  expect(() => mustBeSendable(readDeviceWords([...words.split(" "), "-device", "virtio-blk-pci,id=d"]))).toThrow(why);
});

test("a key that is called as what objects inherit is a key", async () => {
  const { sent, take } = qemu({});
  await sendBackend(option("blockdev", "null-co,node-name=n,__proto__.polluted=1,constructor.x=2"), take);
  expect(Object.keys(sent[0] ?? {})).toEqual(["driver", "node-name", "__proto__", "constructor"]);
  expect(({} as Members)["polluted"]).toBeUndefined();
});
