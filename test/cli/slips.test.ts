import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { CommandError } from "../../src/qmp/errors.ts";
import { play, type Played } from "./scene.ts";
import { puppet, type Puppet } from "./shell/monitors.ts";

const refuse = (desc: string) => () => {
  throw new CommandError("balloon", { class: "GenericError", desc });
};

async function qmp(
  words: readonly string[],
  answers: Parameters<typeof puppet>[0] = {},
  stdin?: string,
): Promise<Played & { readonly sent: Puppet["sent"] }> {
  // QEMU looks at the types first.
  const link = ({ name, up }: Readonly<Record<string, unknown>>): unknown => {
    if (typeof up !== "boolean")
      throw new CommandError("set_link", { class: "GenericError", desc: "Invalid parameter type for 'up', expected: boolean" });
    if (typeof name !== "string")
      throw new CommandError("set_link", { class: "GenericError", desc: "Invalid parameter type for 'name', expected: string" });
    return {};
  };
  const monitor = await puppet({
    balloon: () => ({}),
    device_add: () => ({}),
    "block-commit": () => ({}),
    set_link: link,
    "object-add": () => ({}),
    ...answers,
  });
  const played = await play(["qmp", "web1", ...words], {
    domain: { connect: async () => monitor },
    ...(stdin === undefined ? {} : { stdin: Readable.from([stdin]) }),
  });
  return { ...played, sent: monitor.sent };
}

describe("a value has the type that the command takes, with one command as in the shell", () => {
  test.each<[string, unknown]>([
    ["balloon value=300M", { value: 314572800 }],
    ["balloon value=300MiB", { value: 314572800 }],
    ["balloon value=314572800", { value: 314572800 }],
    ["set_link name=net0 up=on", { name: "net0", up: true }],
    ["set_link name=7 up=true", { name: "7", up: true }],
    ["block-commit device=0 speed=1M", { device: "0", speed: 1048576 }],
    ["device_add driver=max-x86_64-cpu id=cpu1 core-id=1", { driver: "max-x86_64-cpu", id: "cpu1", "core-id": 1 }],
    ["object-add qom-type=memory-backend-ram id=m size=1G", { "qom-type": "memory-backend-ram", id: "m", size: 2 ** 30 }],
  ])("%s", async (line, members) => {
    const { code, sent } = await qmp(line.split(" "));
    expect([code, sent.at(-1)]).toEqual([0, [line.split(" ")[0], members]]);
    const script = await qmp([], {}, `${line}\n`);
    expect(script.sent.at(-1)).toEqual(sent.at(-1));
  });

  test.each([
    ["balloon value=300MB", 'value=300MB: size "300MB": MB is MiB to some, and a power of 1000 to virsh: write 300M'],
    ["balloon value=1.5G", 'value=1.5G: size "1.5G": not a whole number: write 1536MiB'],
    ["balloon value=3x", 'value=3x: "3x" is not an integer or a size such as 512M'],
  ])("%s is refused before it is sent", async (line, message) => {
    const { code, stderr, sent } = await qmp(line.split(" "));
    expect([code, sent]).toEqual([2, []]);
    expect(stderr).toContain(message);
  });

  test("what QEMU refuses for its type is told in the words of who typed it", async () => {
    expect(await qmp(["set_link", "name=net0", "up=7"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('up=7: "7" is not true or false') as string,
      sent: [["set_link", { name: "net0", up: 7 }]],
    });
  });

  test("QEMU is not asked for its schema where nothing depends on it", async () => {
    const asked: string[] = [];
    const monitor = { ...(await puppet()), execute: async (command: string) => (asked.push(command), {}) };
    await play(["qmp", "web1", "device_add", "driver=x", "id=a", "core-id=2", "j=[1]", 'q="7"', "on=true"], {
      domain: { connect: async () => monitor },
    });
    expect(asked).toEqual(["device_add"]);
  });

  test("a QEMU that does not describe itself gets numbers as numbers and the rest as text", async () => {
    const monitor = {
      ...(await puppet()),
      execute: async (command: string, args: unknown) => (command === "query-qmp-schema" ? undefined : args),
    };
    const { stdout } = await play(["qmp", "web1", "x", "n=1", "s=300M", "l.0=true", 'q="7"', "j=[1]"], {
      domain: { connect: async () => monitor },
    });
    expect(JSON.parse(stdout)).toEqual({ n: 1, s: "300M", l: { 0: true }, q: "7", j: [1] });
  });
});

describe("F3: a slip gets a guess", () => {
  test("of a command, with one command, in a script, and in a whole request", async () => {
    const guess = "qmpctl: query-statu: The command query-statu has not been found (CommandNotFound), did you mean query-status?\n";
    expect(await qmp(["query-statu"])).toMatchObject({ code: 1, stdout: "", stderr: guess });
    expect(await qmp([], {}, "query-statu\n")).toMatchObject({ code: 1, stderr: guess.replace("qmpctl:", "qmpctl: line 1:") });
    expect((await qmp(["frobnicate"])).stderr).toBe("qmpctl: frobnicate: The command frobnicate has not been found (CommandNotFound)\n");
  });

  test("of an argument, also of one inside of another", async () => {
    expect((await qmp(["balloon", "valeu=1"], { balloon: refuse("Parameter 'valeu' is unexpected") })).stderr).toBe(
      "qmpctl: balloon: Parameter 'valeu' is unexpected, did you mean value?\n",
    );
    // What QEMU says to a slip in the name of an argument that has to be there.
    expect((await qmp(["balloon", "valeu=1"], { balloon: refuse("Parameter 'value' is missing") })).stderr).toBe(
      "qmpctl: balloon: Parameter 'value' is missing, did you mean value?\n",
    );
    expect((await qmp(["balloon", '{"valeu":1}'], { balloon: refuse("Parameter 'value' is missing") })).stderr).toContain(
      "did you mean value?",
    );
    expect((await qmp(["balloon"], { balloon: refuse("Parameter 'value' is missing") })).stderr).toBe(
      "qmpctl: balloon: Parameter 'value' is missing\n",
    );
    expect((await qmp(["balloon", "zzz=1"], { balloon: refuse("Parameter 'zzz' is unexpected") })).stderr).toBe(
      "qmpctl: balloon: Parameter 'zzz' is unexpected\n",
    );
  });

  test("in JSON the guess is a field, and QEMU's own words are as they were", async () => {
    expect(JSON.parse((await qmp(["query-statu", "--json"])).stdout)).toEqual({
      error: {
        code: "command",
        command: "query-statu",
        class: "CommandNotFound",
        desc: "The command query-statu has not been found",
        message: "query-statu: The command query-statu has not been found",
        meant: "query-status",
      },
    });
  });

  test.each([
    ["SHUTDWN", "SHUTDWN: this QEMU has no such event, did you mean SHUTDOWN?"],
    ["blockjob_ready", "blockjob_ready: this QEMU has no such event, did you mean BLOCK_JOB_READY?"],
    ["lifecycle", "lifecycle: this QEMU has no such event, so it would never come; without a name, all events are shown"],
  ])("of an event %s, which would be waited for without an end", async (name, message) => {
    const monitor = await puppet();
    for (const words of [[name], ["STOP", name]]) {
      expect(await play(["events", "web1", ...words], { domain: { connect: async () => monitor } })).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining(`qmpctl: ${message}`) as string,
        disposed: 1,
      });
    }
  });

  test("an event is known in any case, and what comes while the names are checked is not missed", async () => {
    const monitor = await puppet();
    const connect = async (): Promise<Puppet> => ({ ...monitor, execute: (...call) => (monitor.emit("STOP"), monitor.execute(...call)) });
    expect(await play(["events", "web1", "stop", "--count", "1"], { domain: { connect } })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"event":"STOP"') as string,
    });
  });
});
