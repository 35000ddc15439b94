import { describe, expect, test } from "vitest";
import { recorded } from "../../schema/recorded.ts";
import { faultsIn } from "../../schema/type-check.ts";
import { monitorOf, play } from "../scene.ts";

/** A machine that answers what it is asked about itself as one that was recorded. */
function domainOf(name: string): { readonly connect: () => Promise<ReturnType<typeof monitorOf>> } {
  const recording = recorded.get(name);
  const [major, minor, micro] = (recording?.qemu ?? "").split(".").map(Number);
  const answers: Readonly<Record<string, unknown>> = {
    "query-qmp-schema": recording?.schema,
    "query-version": { qemu: { major, minor, micro }, package: "" },
    "query-target": { arch: recording?.arch },
  };
  return { connect: async () => ({ ...monitorOf([]), execute: async (command: string) => answers[command] }) };
}

describe("types", () => {
  test.each([...recorded.keys()])("prints a file that needs no other, for QEMU %s", { timeout: 60_000 }, async (name) => {
    const { code, stdout, opened } = await play(["types", "web1"], { domain: domainOf(name) });
    expect([code, opened]).toEqual([0, ["web1"]]);
    expect(stdout).toContain(`QEMU ${recorded.get(name)?.qemu}, ${recorded.get(name)?.arch}, says of itself`);
    const use = 'export const status: QemuCommands["query-status"]["returns"]["status"] = "running";';
    expect(await faultsIn([...stdout.split("\n"), use])).toEqual([]);
  });

  test.each<[readonly string[], string]>([
    [[], "DOMAIN: missing"],
    [["web1", "--emulator", "qemu"], "web1: give a DOMAIN or --emulator, not both"],
    [["web1", "web2"], '"web2": one operand too many'],
  ])("%j is no use of it", async (argv, message) => {
    const { code, stdout, stderr } = await play(["types", ...argv]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });

  /** What would be a line of its own, or end a comment, a string or a member. */
  const HOSTILE = [
    "x\ndeclare const evil: 1; //",
    "*/ export const evil = 1; /*",
    '"; export const evil = 1; "',
    "x: 1 } export interface Evil { y",
    "a\u2028export const evil = 1",
    "x*/ readonly y | x",
    "\\",
    "`${evil}`",
    "",
    "é",
  ];

  interface Entry {
    readonly "meta-type": string;
    readonly [key: string]: unknown;
  }

  /** The recorded schema with one name made something else, by where it stands. */
  const PLACES: Readonly<Record<string, (schema: readonly Entry[], name: string) => readonly Entry[]>> = {
    "an event": (schema, name) => schema.map((it) => (it["name"] === "STOP" ? { ...it, name } : it)),
    "a command": (schema, name) => schema.map((it) => (it["name"] === "stop" ? { ...it, name } : it)),
    "a feature": (schema, name) => schema.map((it) => (it["name"] === "stop" ? { ...it, features: [name] } : it)),
    "all members": (schema, name) =>
      schema.map((it) =>
        it["meta-type"] === "object"
          ? {
              ...it,
              members: (it["members"] as Entry[]).map((member, index) => ({ ...member, name: index === 0 ? name : member["name"] })),
            }
          : it,
      ),
    "all values": (schema, name) =>
      schema.map((it) => (it["meta-type"] === "enum" ? { ...it, members: undefined, values: [name, "other"] } : it)),
    "all variants": (schema, name) =>
      schema.map((it) =>
        it["variants"] === undefined ? it : { ...it, variants: (it["variants"] as Entry[]).map((variant) => ({ ...variant, case: name })) },
      ),
  };

  const domainWith = (answers: Readonly<Record<string, unknown>>): { readonly connect: () => Promise<ReturnType<typeof monitorOf>> } => {
    const known: Readonly<Record<string, unknown>> = {
      "query-qmp-schema": recorded.get("7.2_x86_64")?.schema,
      "query-version": { qemu: { major: 7, minor: 2, micro: 22 }, package: "" },
      "query-target": { arch: "x86_64" },
      ...answers,
    };
    return { connect: async () => ({ ...monitorOf([]), execute: async (command: string) => known[command] }) };
  };

  test.each(Object.keys(PLACES))("a QEMU that gives %s a name that is none is refused, with the name", async (place) => {
    const schema = recorded.get("7.2_x86_64")?.schema as unknown as readonly Entry[];
    for (const name of HOSTILE) {
      const { code, stdout, stderr } = await play(["types", "web1"], {
        domain: domainWith({ "query-qmp-schema": PLACES[place]?.(schema, name) }),
      });
      expect([code, stdout], JSON.stringify(name)).toEqual([1, ""]);
      expect(stderr).toMatch(/^qmpctl: query-qmp-schema: [^\n]* is not a name that QEMU's schema can have\n$/);
    }
  });

  test("a name that QAPI allows and TypeScript does not is quoted, and a type's own name stays one", { timeout: 60_000 }, async () => {
    const schema = recorded.get("7.2_x86_64")?.schema as unknown as readonly Entry[];
    for (const name of ["2-fast", "__com.redhat_x", "class"]) {
      const everywhere = ["an event", "a command", "all members", "all values"].reduce(
        (all, place) => PLACES[place]?.(all, name) ?? [],
        schema,
      );
      const { stdout } = await play(["types", "web1"], { domain: domainWith({ "query-qmp-schema": everywhere }) });
      expect(stdout.split(name).length).toBeGreaterThan(4);
      expect(await faultsIn(stdout.split("\n")), name).toEqual([]);
    }
  });

  test("a command of a vendor does not add to a type of ours", async () => {
    const schema = recorded.get("7.2_x86_64")?.schema as unknown as readonly Entry[];
    const renamed = PLACES["a command"]?.(
      schema.map((it) => (it["name"] === "query-status" ? { ...it, name: "qemu-commands" } : it)),
      "stop",
    );
    const { stdout } = await play(["types", "web1"], { domain: domainWith({ "query-qmp-schema": renamed }) });
    expect(stdout.match(/^export interface QemuCommands\b/gm)).toHaveLength(1);
  });

  test.each([
    ["query-version", { qemu: { major: "7\nexport const evil = 1; //", minor: 2, micro: 22 }, package: "" }],
    ["query-target", { arch: "x*/ export const evil = 1; /*" }],
  ])("an answer of %s that is no number and no name is refused", async (command, answer) => {
    expect(await play(["types", "web1"], { domain: domainWith({ [command]: answer }) })).toMatchObject({ code: 1, stdout: "" });
  });

  test("whoever packaged QEMU writes no line of its own", async () => {
    const { stdout } = await play(["types", "web1"], {
      domain: domainWith({
        "query-version": { qemu: { major: 7, minor: 2, micro: 22 }, package: "Debian\nexport const evil = 1;\u2028export const evil = 2;" },
      }),
    });
    expect(stdout.split(/[\n\r\u2028\u2029]/)[0]).toBe(
      "// generated by qmpctl from what QEMU 7.2.22 (Debian export const evil = 1; export const evil = 2;), x86_64, says of itself (query-qmp-schema)",
    );
  });
});
