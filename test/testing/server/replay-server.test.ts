import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { wireClient } from "../../../scripts/lab/wire-client.ts";
import { MismatchError, parseTranscript, startReplay } from "../../../src/testing/index.ts";

const GREETING = '<- {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}';
const OPEN = ["#! connect 1 control", GREETING, '-> {"execute":"qmp_capabilities","id":1}', '<- {"return": {}, "id": 1}'];

function script(...lines: readonly string[]) {
  return parseTranscript([...OPEN, ...lines, ""].join("\n"), "inline.qmp");
}

function event(name: string): string {
  return `{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "${name}"}`;
}

describe("answers", () => {
  const polling = script(
    '-> {"execute":"balloon","arguments":{"value":300},"id":2}',
    '<- {"return": {}, "id": 2}',
    '-> {"execute":"query-balloon","id":3}',
    '<- {"return": {"actual": 512}, "id": 3}',
    '-> {"execute":"query-balloon","id":4}',
    '<- {"return": {"actual": 512}, "id": 4}',
    `<- ${event("BALLOON_CHANGE")}`,
    '-> {"execute":"query-balloon","id":5}',
    '<- {"return": {"actual": 300}, "id": 5}',
    "#! end",
  );

  it("gives the n-th ask the n-th answer, and the last one stays", async () => {
    await using server = await startReplay({ transcript: polling });
    await using client = await wireClient(server.address);
    await client.negotiate();
    await client.ask("balloon", { value: 300 });
    const seen = [];
    for (let n = 0; n < 4; n += 1) seen.push((await client.ask("query-balloon"))["return"]);
    expect(seen).toEqual([{ actual: 512 }, { actual: 300 }, { actual: 300 }, { actual: 300 }]);
    expect(client.events).toMatchObject([{ event: "BALLOON_CHANGE" }]);
    server.verify({ finished: true });
  });

  it("lets time pass for a client that waits for an event and asks nothing", async () => {
    await using server = await startReplay({ transcript: polling, idle: 5 });
    await using client = await wireClient(server.address);
    await client.negotiate();
    await client.ask("balloon", { value: 300 });
    expect(await client.message()).toMatchObject({ event: "BALLOON_CHANGE" });
    expect(await client.ask("query-balloon")).toMatchObject({ return: { actual: 300 } });
  });

  it("tells the place of a mismatch to the client and to the test", async () => {
    const server = await startReplay({ transcript: polling });
    await using client = await wireClient(server.address);
    await client.negotiate();
    const reply = await client.ask("balloon", { value: 299 });
    expect(reply).toMatchObject({ error: { class: "GenericError", desc: expect.stringContaining("inline.qmp:5") as string } });
    await expect(server.close()).rejects.toThrow(MismatchError);
    await server.close();
  });

  it("names what was never asked", async () => {
    await using server = await startReplay({ transcript: polling });
    expect(() => server.verify({ finished: true })).toThrow("inline.qmp:5");
  });

  it("owns real threads for recorded ones, that taskset can pin", async () => {
    const cpus = script(
      '-> {"execute":"query-cpus-fast","id":2}',
      '<- {"return": [{"thread-id": 4711, "props": {"core-id": 0}, "qom-path": "/x", "target": "x86_64", "cpu-index": 0}], "id": 2}',
      "#! end",
    );
    await using server = await startReplay({ transcript: cpus });
    await using client = await wireClient(server.address);
    await client.negotiate();
    const [cpu] = (await client.ask("query-cpus-fast"))["return"] as [{ "thread-id": number }];
    const tid = cpu["thread-id"];
    expect(await readFile(`/proc/${process.pid}/task/${tid}/comm`, "utf8")).toBe("CPU 0/TCG\n");
    await promisify(execFile)("taskset", ["-pc", "0", String(tid)]);
    expect(await readFile(`/proc/${tid}/status`, "utf8")).toMatch(/Cpus_allowed_list:\t0\n/);
  });
});
