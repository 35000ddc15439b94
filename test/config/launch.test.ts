import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { parseLaunchConfig, TEXT_LIMIT } from "../../src/config/launch.ts";
import { configText, fixture, fixturesIn } from "./fixtures.ts";

const MIB = 1024 ** 2;

function refusal(text: string, path = "web1.json"): ConfigError {
  try {
    parseLaunchConfig(text, path);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("parseLaunchConfig", () => {
  test.each(fixturesIn("good", ".json"))("reads good/%s.json", (name) => {
    expect(() => parseLaunchConfig(fixture(`good/${name}.json`), name)).not.toThrow();
  });

  test.each(fixturesIn("bad", ".json"))("says all that is wrong in bad/%s.json", (name) => {
    const { code, problem, issues, message } = refusal(fixture(`bad/${name}.json`), `${name}.json`);
    const lines = issues.map(({ path, expected }) => `${path === "" ? "the config" : path}: expected ${expected}`);
    expect(`${issues.length === 0 ? message : lines.join("\n")}\n`).toBe(fixture(`bad/${name}.txt`));
    expect([code, problem]).toEqual(["config", "invalid"]);
    expect(message).not.toContain("\n");
  });

  test("gives sizes in bytes, and all that is optional", () => {
    expect(parseLaunchConfig(fixture("good/everything.json"), "x")).toEqual({
      name: "every.thing_1+a-b",
      emulator: "/opt/qemu/bin/qemu-system-x86_64",
      memory: { max: 2048 * MIB, current: 1024 * MIB + 4096, min: 64 * MIB, hotplug: { slots: 0, limit: 8192 * MIB } },
      vcpus: { max: 8, current: 8, topology: { sockets: 1, dies: 2, cores: 2, threads: 2 }, pin: { 7: "0-7,^2" } },
      args: ["-append", "-S -m 512", "-monitor", "unix:/run/hmp.sock,server=on,wait=off", "-serial", "file:/tmp/stdio"],
      monitor: "/run/own.sock",
    });
  });

  test("fills in what may be left out", () => {
    const { vcpus, args } = parseLaunchConfig(fixture("good/least.json"), "x");
    expect([vcpus.pin, args]).toEqual([{}, []]);
  });

  test("puts path, value and what would be right into one line", () => {
    expect(refusal(configText({ memory: { max: "1GiB", current: "2GiB" } })).message).toBe(
      'web1.json: memory.current is "2GiB", expected at most memory.max, 1GiB',
    );
    expect(refusal(configText({ name: undefined })).message).toMatch(/^web1\.json: name is missing, expected letters/);
    expect(refusal(configText({ name: "x".repeat(300) })).message.length).toBeLessThan(250);
  });

  test("stays one short line, whatever is wrong and however often", () => {
    const many = refusal(configText({ args: Array.from({ length: 50_000 }, (_, index) => index) }));
    expect(many.issues).toHaveLength(50_000);
    expect(many.message).toMatch(/; and 49980 more$/);
    const odd = refusal(configText({ vcpus: { max: 1, current: 1, pin: { "\u001b[2J\n": "0", ["x".repeat(5000)]: "0" } } }));
    expect(odd.message).toMatch(/^[\x20-\x7e…]{1,600}$/);
  });

  test("a __proto__ in it is refused, and changes nothing for anybody", () => {
    refusal(fixture("bad/proto.json"));
    const text = configText().replace("{", '{ "__proto__": { "monitor": "/evil" },');
    expect(refusal(text).issues).toMatchObject([{ path: "__proto__", expected: "no such key" }]);
    expect(({} as Record<string, unknown>)["monitor"]).toBeUndefined();
  });

  test("refuses text over 1 MiB without reading it", () => {
    expect(refusal(`${" ".repeat(TEXT_LIMIT)}{}`).message).toBe("web1.json: larger than 1 MiB, and no launch config is");
  });

  test("refuses depth beyond any use", () => {
    expect(refusal("[".repeat(500_000)).message).toMatch(/nested deeper than 64$/);
  });

  test.each(["", ".", "..", "-x", "a/b", "a b", "a\n", "a,b", "ü", "web.json", "x".repeat(61)])("refuses the name %j", (name) => {
    expect(refusal(configText({ name })).issues.map(({ path }) => path)).toEqual(["name"]);
  });
});
