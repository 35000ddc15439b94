import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { connectAgent } from "../../src/qmp/guest-agent.ts";
import { listening, rejection, type Listening } from "./peer.ts";

interface AgentRequest {
  readonly execute: string;
  readonly arguments?: { readonly id?: number };
}

/** An agent as there is one in a guest: no greeting; a delimiter before the answer to guest-sync-delimited, and it forgets at one. */
function agent(answer: (request: AgentRequest, client: Socket) => void, before = ""): Promise<Listening> {
  return listening((client) => {
    let held = Buffer.alloc(0);
    client.write(before);
    client.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      held = held.subarray(held.lastIndexOf(0xff) + 1);
      for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
        const request = JSON.parse(held.subarray(0, end).toString()) as AgentRequest;
        held = held.subarray(end + 1);
        if (request.execute === "guest-sync-delimited") client.write(Buffer.concat([Buffer.of(0xff), Buffer.from(`{"return": ${request.arguments?.id}}\n`)]));
        else answer(request, client);
      }
    });
  });
}

const echo = (request: AgentRequest, client: Socket): void => void client.write(`${JSON.stringify({ return: request.execute })}\n`);

test("R45: stale answers and half messages before the synchronisation are dropped", async () => {
  await using guest = await agent(echo, '{"return": "stale"}\n{"return": {"half": "');
  await using session = await connectAgent(guest.address);
  expect(await Promise.all([session.execute("guest-ping"), session.execute("guest-info")])).toEqual(["guest-ping", "guest-info"]);
});

test("R45: nobody in the guest: the deadline says so", async () => {
  await using silent = await listening(() => {});
  const error = await rejection(connectAgent(silent.address, { timeout: 30 }));
  expect(error).toMatchObject({ code: "greeting", message: `${silent.address}: the guest agent does not answer within 30 ms: it may not run in the guest, or the guest is stuck` });
});

test("R45: after a command that was given up, its late answer is nobody else's", async () => {
  const late: (() => void)[] = [];
  await using guest = await agent((request, client) => {
    if (request.execute === "guest-slow") late.push(() => client.write('{"return": "late"}\n'));
    else echo(request, client);
  });
  await using session = await connectAgent(guest.address);
  expect(await rejection(session.execute("guest-slow", {}, { timeout: 20 }))).toMatchObject({ code: "timeout", where: "unanswered" });
  late[0]?.();
  expect(await session.execute("guest-ping")).toBe("guest-ping");
  const aborted = rejection(session.execute("guest-slow", {}, { signal: AbortSignal.timeout(20) }));
  expect(await rejection(session.execute("guest-ping", {}, { timeout: 5 }))).toMatchObject({ where: "queued" });
  expect((await aborted).name).toBe("TimeoutError");
  late[1]?.();
  expect(await session.execute("guest-ping")).toBe("guest-ping");
});

test("R45: commands that say nothing when they succeed", async () => {
  const answers = ["", '{"error": {"class": "GenericError", "desc": "no ACPI"}}\n', "EOF"];
  await using guest = await agent((_, client) => {
    const answer = answers.shift() ?? "";
    if (answer === "EOF") client.destroy();
    else client.write(answer);
  });
  await using session = await connectAgent(guest.address);
  expect(await session.execute("guest-suspend-ram")).toBeUndefined();
  expect(await rejection(session.execute("guest-suspend-disk"))).toMatchObject({ code: "command", class: "GenericError", desc: "no ACPI" });
  expect(await session.execute("guest-shutdown", { mode: "powerdown" })).toBeUndefined();
});

test("the channel's end fails what waits; closing may be done twice", async () => {
  await using guest = await agent((_, client) => client.end());
  await using session = await connectAgent(guest.address);
  const errors = await Promise.all([rejection(session.execute("guest-a")), rejection(session.execute("guest-b"))]);
  expect(errors).toMatchObject([{ code: "closed", message: "guest-a: the peer closed the channel" }, { code: "closed" }]);
  await session.close();
  expect(await rejection(session.execute("guest-c"))).toMatchObject({ code: "closed", sent: false });
});

test("closing while a command runs fails it", async () => {
  const heard: (() => void)[] = [];
  const asked = new Promise<void>((resolve) => heard.push(resolve));
  await using guest = await agent(() => heard[0]?.());
  const session = await connectAgent(guest.address);
  const call = rejection(session.execute("guest-slow"));
  await asked;
  await session.close();
  expect(await call).toMatchObject({ code: "closed", sent: true });
});
