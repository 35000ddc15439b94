import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { connectAgent } from "../../src/qmp/guest-agent.ts";
import { listening, type Listening, rejection } from "./peer.ts";

interface AgentRequest {
  readonly execute: string;
  readonly arguments?: { readonly id?: number };
  readonly id?: unknown;
}

/** Gives ids back (`new`), leaves them out (`silent`), or refuses them (`old`). */
type Kind = "new" | "silent" | "old";

/** An agent as there is one in a guest: no greeting; a delimiter before the answer to guest-sync-delimited, and it forgets at one. */
function agent(answer: (request: AgentRequest, client: Socket) => void, before = "", kind: Kind = "silent"): Promise<Listening> {
  return listening((client) => {
    let held = Buffer.alloc(0);
    client.write(before);
    client.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      held = held.subarray(held.lastIndexOf(0xff) + 1);
      for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
        const request = JSON.parse(held.subarray(0, end).toString()) as AgentRequest;
        held = held.subarray(end + 1);
        if (kind === "old" && request.id !== undefined)
          client.write(`${JSON.stringify({ error: { class: "GenericError", desc: "QMP input object member 'id' is unexpected" } })}\n`);
        else if (request.execute === "guest-sync-delimited")
          client.write(Buffer.concat([Buffer.of(0xff), Buffer.from(line({ return: request.arguments?.id }, request, kind))]));
        else answer(request, client);
      }
    });
  });
}

/** An answer, with the id of its request where the agent gives them back. */
function line(answer: object, request: AgentRequest, kind: Kind): string {
  return `${JSON.stringify(kind === "new" && request.id !== undefined ? { ...answer, id: request.id } : answer)}\n`;
}

const echo = (request: AgentRequest, client: Socket): void => void client.write(`${JSON.stringify({ return: request.execute })}\n`);

test("R45: stale answers and half messages before the synchronisation are dropped", async () => {
  await using guest = await agent(echo, '{"return": "stale"}\n{"return": {"half": "');
  await using session = await connectAgent(guest.address);
  expect(await Promise.all([session.execute("guest-ping"), session.execute("guest-info")])).toEqual(["guest-ping", "guest-info"]);
});

test("R45: no agent in the guest: the deadline says so", async () => {
  await using silent = await listening(() => {});
  const error = await rejection(connectAgent(silent.address, { timeout: 30 }));
  expect(error).toMatchObject({
    code: "greeting",
    message: `${silent.address}: the guest agent does not answer within 30 ms: it may not run in the guest, or the guest is stuck`,
  });
});

test("R45: the late answer to a command that was given up is not taken for another's", async () => {
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

describe.each<Kind>(["new", "silent", "old"])(
  "R45, E5: what nobody asked for shifts no answer, with an agent that is %s of ids",
  (kind) => {
    /** An agent that answers with the command's name, and with what the test does besides. */
    async function strayed(
      stray: (client: Socket, answer: string) => void,
      before = "",
    ): Promise<{ readonly guest: Listening; readonly clients: Socket[] }> {
      const clients: Socket[] = [];
      const guest = await agent((request, client) => stray(client, line({ return: request.execute }, request, kind)), before, kind);
      guest.server.on("connection", (client) => clients.push(client));
      return { guest, clients };
    }

    async function asked(guest: Listening, between: (count: number) => void | Promise<void> = () => {}): Promise<unknown[]> {
      await using session = await connectAgent(guest.address);
      const answers: unknown[] = [];
      for (const name of ["guest-a", "guest-b", "guest-c", "guest-d"]) {
        await between(answers.length);
        answers.push(await session.execute(name).catch((error: { readonly code: string }) => error.code));
      }
      return answers;
    }

    const RIGHT = ["guest-a", "guest-b", "guest-c", "guest-d"];
    const STRAY = '{"return": "stray"}\n';

    /** What was written in this process is read in it after some turns of its loop: a time would be too short for a loaded host. */
    async function read(): Promise<void> {
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    }

    test("before everything", async () => {
      const { guest } = await strayed(
        (client, answer) => client.write(answer),
        `${STRAY}{"error": {"class": "GenericError", "desc": "stray"}}\n`,
      );
      await using _ = guest;
      expect(await asked(guest)).toEqual(RIGHT);
    });

    test.each([
      ["a message", STRAY],
      ["an error", '{"error": {"class": "GenericError", "desc": "stray"}}\n'],
      ["many", STRAY.repeat(5000)],
      ["half a message", '{"return": {"half": "'],
      ["no answer at all", '{"event": "STRAY"}\n'],
    ])("between two commands, read before the next one: %s", async (_, bytes) => {
      const { guest, clients } = await strayed((client, answer) => client.write(answer));
      await using _guest = guest;
      const idle = async (count: number): Promise<void> => {
        if (count !== 1) return;
        await new Promise((resolve) => clients[0]?.write(bytes, resolve));
        await read();
      };
      expect(await asked(guest, idle)).toEqual(RIGHT);
    });

    test("between two commands, on its way while the next one is sent", async () => {
      const { guest, clients } = await strayed((client, answer) => client.write(answer));
      await using _ = guest;
      expect(await asked(guest, () => void clients[0]?.write(STRAY))).toEqual(RIGHT);
    });

    test("together with an answer, after it", async () => {
      const { guest } = await strayed((client, answer) => client.write(answer + STRAY));
      await using _ = guest;
      // Without ids nobody can tell which of the two is the answer.
      expect(await asked(guest)).toEqual(kind === "new" ? RIGHT : RIGHT.map(() => "protocol"));
    });

    test("together with an answer, before it", async () => {
      const { guest } = await strayed((client, answer) => client.write(STRAY + answer));
      await using _ = guest;
      expect(await asked(guest)).toEqual(kind === "new" ? RIGHT : RIGHT.map(() => "protocol"));
    });

    test("a moment after an answer", async () => {
      const { guest } = await strayed((client, answer) => client.write(answer, () => setImmediate(() => client.write(`${STRAY}{"half":`))));
      await using _ = guest;
      const answers = await asked(guest, (count) => (count === 2 ? new Promise((resolve) => setTimeout(resolve, 20)) : undefined));
      // They may still come together: never another one's answer.
      for (const [at, answer] of answers.entries()) expect(kind === "new" ? [RIGHT[at]] : [RIGHT[at], "protocol"]).toContain(answer);
    });

    test("an answer that comes twice", async () => {
      const { guest, clients } = await strayed((client, answer) => client.write(answer));
      await using _ = guest;
      const again = async (count: number): Promise<void> => {
        if (count === 0) return;
        await new Promise((resolve) =>
          clients[0]?.write(line({ return: RIGHT[count - 1] }, { execute: RIGHT[count - 1] ?? "" }, kind), resolve),
        );
        await read();
      };
      expect(await asked(guest, again)).toEqual(RIGHT);
    });
  },
);

test("R45: with ids, a message that comes while a command runs is not its answer", async () => {
  await using guest = await agent(
    (request, client) =>
      client.write('{"return": "stray"}\n', () => setTimeout(() => client.write(line({ return: "right" }, request, "new")), 20)),
    "",
    "new",
  );
  await using session = await connectAgent(guest.address);
  expect(await session.execute("guest-slow")).toBe("right");
});

test("what an agent says without being asked is read and dropped, however much it is", async () => {
  const clients: Socket[] = [];
  await using guest = await agent(echo);
  guest.server.on("connection", (client) => clients.push(client));
  await using session = await connectAgent(guest.address);
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < 50; count++)
    await new Promise((resolve) => clients[0]?.write('{"return": "stray"}\n'.repeat(20_000), resolve));
  expect(await session.execute("guest-ping")).toBe("guest-ping");
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(60 * 2 ** 20);
});
