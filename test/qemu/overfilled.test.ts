import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { launch, type Machine, NO_GUEST, qemus } from "../../scripts/lab/machine.ts";
import { type WireClient, wireClient } from "../../scripts/lab/wire-client.ts";
import { block } from "./fifo.ts";

/** How many requests a QEMU queues behind the one it is in, when out-of-band is enabled. */
const QUEUE = 8;

/** A text whose last byte completes two messages: the number, and a stray brace. No text of whole objects has such a byte. */
const TWO_AT_ONCE = "1}";

/** Has QEMU get stuck in a command, with so many others behind it. */
async function stuck(machine: Machine, client: WireClient, waiting: number): Promise<() => Promise<void>> {
  const { command, parameters, begun, release } = await block(machine.folder);
  await client.negotiate(["oob"]);
  client.send(JSON.stringify({ execute: command, arguments: parameters, id: "stuck" }));
  await begun(machine.pid);
  client.send('{"execute":"query-name"}'.repeat(waiting));
  return release;
}

// What aborts here on purpose shall leave no core file behind.
beforeAll(() => promisify(execFile)("prlimit", ["--pid", String(process.pid), "--core=0:"]));

describe.each(await qemus())("QEMU $version, a queue to the last place", (qemu) => {
  it("is ended by its own assertion when one byte completes two messages, and only one has room", async () => {
    await using machine = await launch(qemu.binary, NO_GUEST);
    await using client = await wireClient(machine.address);
    await stuck(machine, client, QUEUE - 1);
    client.send(TWO_AT_ONCE);
    expect(await machine.exited).toMatchObject({
      signal: "SIGABRT",
      stderr: expect.stringContaining("qmp_requests->length < QMP_REQ_QUEUE_LEN_MAX"),
    });
  });

  it("lives where both have room", async () => {
    await using machine = await launch(qemu.binary, NO_GUEST);
    await using client = await wireClient(machine.address);
    const release = await stuck(machine, client, QUEUE - 2);
    client.send(TWO_AT_ONCE);
    await release();
    const kinds: unknown[] = [];
    for (let n = 0; n <= QUEUE; n += 1) kinds.push(Object.keys(await client.message())[0]);
    expect(kinds).toEqual(["return", ...Array(QUEUE - 2).fill("return"), "error", "error"]);
  });

  it("takes any number of whole requests, as fast as they come", async () => {
    await using machine = await launch(qemu.binary, NO_GUEST);
    await using client = await wireClient(machine.address);
    const release = await stuck(machine, client, 300);
    await release();
    for (let n = 0; n <= 300; n += 1) expect(await client.message()).toHaveProperty("return");
    expect(await client.ask("query-status")).toHaveProperty("return");
  });
});
