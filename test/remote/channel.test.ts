import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../src/qmp/session.ts";
import { connectMonitor } from "../../src/remote/far-monitor.ts";
import { type Listening, monitor, rejection } from "../qmp/peer.ts";
import { connectEnds, type Ends } from "./ends.ts";

/** A QEMU's own words of itself. */
interface Who {
  readonly name: string;
  readonly thread: number;
}

/** A monitor at which each client is answered by the next of these QEMUs, and the last one by all who come later. */
function answeredBy(...qemus: readonly Who[]): Promise<Listening> {
  const clients = new Map<unknown, Who | undefined>();
  return monitor(({ execute = "", id }, client) => {
    if (!clients.has(client)) clients.set(client, qemus[Math.min(clients.size, qemus.length - 1)]);
    const { name, thread } = clients.get(client) as Who;
    const answers: Readonly<Record<string, unknown>> = {
      "qom-list": [],
      "query-name": { name },
      "query-uuid": { UUID: "00000000-0000-0000-0000-000000000000" },
      "query-cpus-fast": [{ "cpu-index": 0, "thread-id": thread, "qom-path": "/machine/unattached/device[0]", target: "x86_64" }],
    };
    client.write(`${JSON.stringify({ return: answers[execute] ?? {}, id })}\r\n`);
  });
}

/** Both ends of a connection to a host with one domain, whose monitor this is. */
async function endsOf({ address }: Listening): Promise<Ends> {
  const folder = mkdtempSync(join(tmpdir(), "qmpctl-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return connectEnds({ connect: () => connect(address) as never }, folder);
}

test("a monitor there is had when the QEMU that the far end asked answers here too", async () => {
  await using there = await answeredBy({ name: "web1", thread: 7 });
  await using ends = await endsOf(there);
  await using session = await connectMonitor(ends.link, "kvm1", "web1", {});
  expect(await session.execute("query-name")).toEqual({ name: "web1" });
});

test.each([
  ["another run of it", { name: "web1", thread: 8 }],
  ["another machine", { name: "web2", thread: 7 }],
])("%s that took its place between the two connections is not", async (_what, later) => {
  await using there = await answeredBy({ name: "web1", thread: 7 }, later);
  await using ends = await endsOf(there);
  const error = await rejection(connectMonitor(ends.link, "kvm1", "web1", {}));
  expect(error).toMatchObject({
    code: "refused",
    message: expect.stringMatching(/^web1: another QEMU answers at ssh:\/\/kvm1\/\S+ than before/) as string,
  });
});
