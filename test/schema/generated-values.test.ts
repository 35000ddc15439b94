import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomFrom } from "../../scripts/lab/random.ts";
import { checkArguments } from "../../src/schema/validate.ts";
import { readTranscript } from "../../src/testing/transcript/transcript.ts";
import { rightArguments, spoil } from "./random-arguments.ts";
import { recorded } from "./recorded.ts";
import { faultsIn } from "./type-check.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;
const SEED = 20261122;

interface Case {
  readonly command: string;
  readonly parameters: object;
}

/** Two arguments for each command of each recorded QEMU. */
const cases = [...recorded].map(([name, { introspection }]) => {
  const random = randomFrom(SEED);
  const right = [...introspection.commands.keys()].flatMap((command): Case[] =>
    [1, 2].map(() => ({ command, parameters: rightArguments(introspection, command, random) })),
  );
  return { name, introspection, right, random };
});

describe.each(cases)("by the schema of QEMU $name", ({ introspection, right, random }) => {
  test("arguments made after it pass", () => {
    expect(right.length).toBeGreaterThan(350);
    expect(
      right
        .map(({ command, parameters }) => ({ command, parameters, issues: checkArguments(introspection, command, parameters) }))
        .filter(({ issues }) => issues.length > 0),
    ).toEqual([]);
  });

  test("arguments that were spoilt don't", () => {
    const spoilt = right.flatMap(({ command, parameters }) => {
      const one = spoil(introspection, command, parameters as Record<string, unknown>, random);
      return one === undefined ? [] : [{ command, ...one }];
    });
    expect(spoilt.length).toBeGreaterThan(350);
    expect(spoilt.filter(({ command, wrong }) => checkArguments(introspection, command, wrong).length === 0)).toEqual([]);
  });
});

const IMPORT = 'import type { QemuCommands } from "../../src/schema/generated/commands.ts";';
const IMPORT_AGENT = 'import type { AgentReturns } from "../../src/schema/agent-commands.ts";';
const IMPORT_EVENTS = 'import type { QemuEvents } from "../../src/schema/generated/events.ts";';

function assignment({ command, parameters }: Case, index: number): string {
  return `export const v${index}: QemuCommands[${JSON.stringify(command)}]["arguments"] = ${JSON.stringify(parameters)};`;
}

/** Where 5.2 has another kind of thing than all later versions, the types have the newer one. */
function isOtherwise(name: string, { command }: Case): boolean {
  return name === "5.2_x86_64" && ["object-add", "set_password", "expire_password"].includes(command);
}

test("the generated types take arguments made after the schema of every version", { timeout: 60_000 }, async () => {
  const kept = cases.flatMap(({ name, right }) => right.filter((one) => !isOtherwise(name, one)));
  expect(await faultsIn([IMPORT, ...kept.map(assignment)])).toEqual([]);
});

test("the generated types refuse such arguments when they are spoilt", { timeout: 60_000 }, async () => {
  const random = randomFrom(SEED);
  const spoilt = cases.flatMap(({ introspection, right }) =>
    right.flatMap(({ command, parameters }): Case[] => {
      const one = spoil(introspection, command, parameters as Record<string, unknown>, random);
      // What one version needs, another may not have: the types, which are for all, let it be left out.
      return one === undefined || one.mistake.startsWith("without") ? [] : [{ command, parameters: one.wrong }];
    }),
  );
  expect(spoilt.length).toBeGreaterThan(1500);
  expect(await faultsIn([IMPORT, ...spoilt.flatMap((one, index) => ["// @ts-expect-error", assignment(one, index)])])).toEqual([]);
});

/** What real QEMUs said in a transcript: replies to commands, and events, as the type and the text of each. */
async function saidIn(path: string): Promise<readonly (readonly [type: string, text: string])[]> {
  const asked = new Map<string, string>();
  const said: [string, string][] = [];
  for (const entry of (await readTranscript(path)).entries) {
    if (entry.kind !== "client" && entry.kind !== "server") continue;
    const message = JSON.parse(entry.text) as Readonly<Record<string, unknown>>;
    const command = asked.get(JSON.stringify(message["id"]));
    if (entry.kind === "client") asked.set(JSON.stringify(message["id"]), String(message["execute"] ?? message["exec-oob"]));
    else if (message["data"] !== undefined) said.push([`QemuEvents[${JSON.stringify(message["event"])}]`, JSON.stringify(message["data"])]);
    else if (message["return"] !== undefined && command !== undefined) said.push([returnsOf(command), JSON.stringify(message["return"])]);
  }
  return said;
}

/** What QEMU's and the guest agent's commands return, in types. */
function returnsOf(command: string): string {
  const name = JSON.stringify(command);
  return command.startsWith("guest-") ? `AgentReturns<${name}>` : `QemuCommands[${name}]["returns"]`;
}

test(
  "the generated types fit the replies and events of real QEMUs, and the agent's those of real guests",
  { timeout: 60_000 },
  async () => {
    const folder = join(PROJECT, "fixtures/qmp");
    const paths = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".qmp")).map((name) => join(folder, name));
    const said = (await Promise.all(paths.map(saidIn))).flat();
    const lines = new Set(said.map(([type, text]) => `export const _: ${type} = ${text};`));
    expect(lines.size).toBeGreaterThan(50);
    const apart = [...lines].map((line, index) => line.replace("_", `v${index}`));
    expect(await faultsIn([IMPORT, IMPORT_EVENTS, IMPORT_AGENT, ...apart])).toEqual([]);
  },
);
