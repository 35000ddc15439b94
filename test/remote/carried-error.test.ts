import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import { DiedError, StateError } from "../../src/domain/model/errors.ts";
import { HostError, QmpctlError, UsageError } from "../../src/errors.ts";
import { CARRIED, type CarriedError, carriedIn, carry, revive } from "../../src/remote/carried-error.ts";

const report = { domain: "web1", outcome: "refused", refusals: [{ leg: "static", reason: "no" }], changes: [] } as never;

/** As it comes out at the other end. */
async function sent(error: unknown): Promise<Error> {
  return revive(carriedIn(JSON.parse(JSON.stringify(carry(error)))));
}

test.each([
  new UsageError("size 3: no", { value: 3, expected: "4" }),
  new ConfigError("/etc/a.json", "invalid", [{ path: "memory.max", value: 1, expected: "2" }]),
  new HostError("taskset: no", { command: ["taskset", "-p"], stderr: "no" }),
  new RefusedError(report),
  new ChangeError(report, "web1: no", { cause: new StateError("web1: it runs", "running") }),
  new DiedError("QEMU ended", { pid: 4, lastWords: "bang" }),
  new QmpctlError("partial", "half of it"),
])("$name arrives as what it was", async (error) => {
  const arrived = await sent(error);
  expect(arrived).toBeInstanceOf(error.constructor);
  expect(arrived.message).toBe(error.message);
  expect({ ...arrived }).toEqual({ ...error });
  expect(arrived.name).toBe(error.name);
  expect(arrived.stack).toContain("carried-error");
  if (error.cause !== undefined) expect(arrived.cause).toBeInstanceOf(StateError);
});

test("what is not ours arrives as its message, and a class of a newer version as its code", async () => {
  expect(await sent(new TypeError("odd"))).toEqual(new Error("odd"));
  expect(await sent("words")).toEqual(new Error("words"));
  const newer = await revive({ kind: "NewerError", message: "new", code: "refused", evidence: { more: 1 } });
  expect(newer).toBeInstanceOf(QmpctlError);
  expect(newer).toMatchObject({ code: "refused", more: 1, message: "new" });
  expect(await revive(carriedIn("nonsense"))).toEqual(new Error("no message"));
  expect(await revive({ kind: "constructor", message: "x" } as CarriedError)).toEqual(new Error("x"));
});

test("every class of error that a machine's host may throw comes through", async () => {
  const folder = new URL("../../src/", import.meta.url).pathname;
  const names = (await readdir(folder, { recursive: true })).filter((name) => /^(?!testing\/|cli\/).*\.ts$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  const classes = texts.flatMap((text) =>
    [...text.matchAll(/export class (\w+) extends (QmpctlError|StateError)/g)].map(([, name = ""]) => name),
  );
  // These two are this end's own.
  expect(classes.filter((name) => !CARRIED.includes(name) && !["UnreachableError", "LostError"].includes(name))).toEqual([]);
  expect(classes.length).toBeGreaterThan(15);
});
