import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { processBehind } from "../../../src/domain/machine/process.ts";

/** A port of this very process, whose main thread has its pid for an id. */
async function listening(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

describe("the process behind a monitor", () => {
  test("is the one that listens there", async () => {
    const port = await listening();
    expect(await processBehind(`tcp:127.0.0.1:${port}`, [process.pid], null)).toEqual({ pid: process.pid, why: null });
  });

  test.each([
    ["on another host", (port: number) => `plain-tcp:192.0.2.1:${port}`],
    ["on another host, by TLS", (port: number) => `tls:vm.example:${port}`],
    ["behind a program", () => "exec:ssh vm.example socat - /run/x.sock"],
  ])("is not known %s, whoever listens on that port here", async (_, address) => {
    const at = address(await listening());
    expect(await processBehind(at, [process.pid], null)).toEqual({
      pid: null,
      why: expect.stringContaining(`is not the one that listens on ${at}`),
    });
  });
});
