import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type WireClient, wireClient } from "../../scripts/lab/wire-client.ts";
import { type Entry, formatTranscript, parseTranscript, startRecorder, startReplay } from "../../src/testing/index.ts";
import { parseJson } from "../../src/testing/json/json-input.ts";
import { formatJson } from "../../src/testing/json/json-value.ts";

const ROOT = new URL("../../fixtures/qmp/", import.meta.url).pathname;
/** What is being recorded at this moment is in hidden folders. */
const FILES = readdirSync(ROOT, { recursive: true })
  .map(String)
  .filter((it) => it.endsWith(".qmp") && !it.includes("/."))
  .sort();
/** Recorded by a client that repeats nothing and polls nothing: these can be acted out line by line. */
const WIRE = FILES.filter((it) => it.includes("/wire-"));

function load(file: string) {
  return parseTranscript(readFileSync(`${ROOT}${file}`, "utf8"), file);
}

/** Acts out a transcript's clients: says what they said, and wants to hear what they heard. */
async function actOut(entries: readonly Entry[], addresses: Readonly<Record<string, string>>): Promise<void> {
  const clients = new Map<number, WireClient>();
  let speaking: WireClient | undefined;
  for (const entry of entries) {
    if (entry.kind === "client") speaking?.send(entry.text);
    else if (entry.kind === "server") expect(await speaking?.line(), `line ${entry.line}`).toBe(entry.text);
    else if (entry.kind === "directive" && "connection" in entry.directive) {
      const { name, connection } = entry.directive;
      if (name === "connect") clients.set(connection, await wireClient(addresses[entry.directive.monitor] ?? ""));
      if (name === "close") await clients.get(connection)?.[Symbol.asyncDispose]();
      else speaking = clients.get(connection);
    }
  }
  for (const client of clients.values()) await client[Symbol.asyncDispose]();
}

describe.each(FILES)("%s", (file) => {
  it("reads, and is written the same", () => {
    expect(formatTranscript(load(file))).toBe(readFileSync(`${ROOT}${file}`, "utf8"));
  });

  it("has QEMU's own spelling: every message of QEMU is printed back byte for byte", () => {
    for (const entry of load(file).entries) if (entry.kind === "server") expect(formatJson(parseJson(entry.text))).toBe(entry.text);
  });

  it("says where it comes from", () => {
    const { provenance } = load(file);
    expect(Object.keys(provenance)).toEqual(expect.arrayContaining(["qemu", "arch", "command", "recorded"]));
    expect(readFileSync(`${ROOT}${file}`, "utf8")).not.toMatch(/\/(tmp|home|work|root)\//);
  });
});

describe.each(WIRE)("%s", (file) => {
  it("replays to those clients exactly what QEMU said", async () => {
    const transcript = load(file);
    await using server = await startReplay({ transcript });
    await actOut(transcript.entries, server.addresses);
    server.verify({ finished: true });
  });

  it("is recorded again from its own replay", async () => {
    const transcript = load(file);
    await using server = await startReplay({ transcript });
    const monitors = Object.entries(server.addresses).map(([name, upstream]) => ({ name, upstream }));
    const recorder = await startRecorder({ monitors });
    await actOut(transcript.entries, recorder.addresses);
    const again = await recorder.finish(
      transcript.entries.at(-1)?.kind === "directive" && server.said.some((it) => it.command === "quit") ? {} : undefined,
    );
    expect(messagesOf(again.entries)).toEqual(messagesOf(transcript.entries));
  });
});

/** Each side's messages on each connection: which of two that spoke at once came first is chance. */
function messagesOf(entries: readonly Entry[]): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  let speaking = 0;
  for (const entry of entries) {
    if (entry.kind === "directive" && "connection" in entry.directive && entry.directive.name !== "close")
      speaking = entry.directive.connection;
    if (entry.kind === "client" || entry.kind === "server") (found[`${entry.kind} ${speaking}`] ??= []).push(entry.text);
  }
  return found;
}
