import { expect, test } from "vitest";
import { NegotiationError } from "../../src/qmp/errors.ts";
import { open } from "../../src/qmp/session.ts";
import { ArgumentError } from "../../src/schema/argument-error.ts";
import { conversation, peer, rejection } from "./peer.ts";

const SCHEMA = [
  { name: "int", "meta-type": "builtin", "json-type": "int" },
  { name: "0", "meta-type": "object", members: [] },
  { name: "1", "meta-type": "object", members: [{ name: "value", type: "int" }] },
  { name: "balloon", "meta-type": "command", "arg-type": "1", "ret-type": "0" },
  { name: "yank", "meta-type": "command", "arg-type": "0", "ret-type": "0", "allow-oob": true },
];

test("arguments are sent as they are, unless it is asked for", async () => {
  const { session, heard, say } = await conversation();
  const call = session.execute("balloon" as string, { valeu: 1 });
  const [request] = await heard(1);
  say({ return: {}, id: request?.id });
  expect(await call).toEqual({});
});

test("what QEMU would not take is refused where the call was made, and nothing of it is sent", async () => {
  const other = peer();
  const opening = open(other.transport, { checkArguments: true });
  const [asked] = await other.heard(1);
  expect(asked?.execute).toBe("query-qmp-schema");
  other.say({ return: SCHEMA, id: asked?.id });
  const session = await opening;
  const refused = await rejection(session.execute("balloon" as string, { valeu: 2n ** 40n }));
  expect(refused).toBeInstanceOf(ArgumentError);
  expect(refused).toMatchObject({ code: "usage", command: "balloon", message: "balloon: value: missing: an integer (and 1 more)" });
  expect(refused.stack).toContain("arguments.test.ts");
  expect((await rejection(session.execute("baloon"))).message).toBe("baloon: this QEMU has no such command, did you mean balloon?");
  expect((await rejection(session.executeOob("yank" as string, { surplus: 1 }))).message).toBe(
    "yank: surplus: no such member: expected nothing",
  );
  expect(other.requests).toHaveLength(1);
  const right = session.execute("balloon", { value: 1 });
  const [, sent] = await other.heard(2);
  other.say({ return: {}, id: sent?.id });
  expect(await right).toEqual({});
  // Raw requests are for saying what is wrong, too.
  void session.exchange({ execute: "balloon" }).catch(() => {});
  expect(await other.heard(3)).toHaveLength(3);
  await session.close();
});

test("a session that was opened without checks can be told to check", async () => {
  const { session, heard, say } = await conversation();
  const checking = session.checkArguments();
  const [asked] = await heard(1);
  say({ return: SCHEMA, id: asked?.id });
  await checking;
  expect(await rejection(session.execute("yank" as string, { surplus: 1 }))).toBeInstanceOf(ArgumentError);
});

test("a QEMU that does not tell its schema in time is none that can be checked for", async () => {
  const error = await rejection(open(peer().transport, { checkArguments: true, timeout: 50 }));
  expect(error).toBeInstanceOf(NegotiationError);
  expect(error.message).toBe("fake: no schema within 50 ms");
});
