import { expect, test } from "vitest";
import type { GuestAgent } from "../../src/qmp/guest-agent.ts";
import type { SessionOf } from "../../src/qmp/session-of.ts";
import type { Session } from "../../src/qmp/session.ts";
import { watch } from "../../src/qmp/watch.ts";
import type { QmpEvent } from "../../src/schema/event.ts";
import type { QemuCommands } from "../../src/schema/generated/commands.ts";
import type { QemuEvents } from "../../src/schema/generated/events.ts";
import type { StatusInfo } from "../../src/schema/replies.ts";
import { conversation } from "./peer.ts";

/** The compiler is the test: it fails where an expected error does not come. */
export async function typed(session: Session, anyName: string, parameters: { readonly mine: number }): Promise<readonly unknown[]> {
  const status: StatusInfo = await session.execute("query-status");
  const names: readonly string[] = (await session.execute("query-commands", {}, { timeout: 5 })).map((command) => command.name);
  // @ts-expect-error: a reply is of its own type
  const wrong: string = await session.execute("query-status");
  // @ts-expect-error: arguments that are needed are required
  await session.execute("device_add");
  // @ts-expect-error: and of the right kind
  await session.execute("balloon", { value: "512M" });
  // @ts-expect-error: a command without arguments takes none
  await session.execute("query-status", { some: 1 });
  // @ts-expect-error: what is not listed is unknown
  const other: number = await session.execute("x-other");
  const unknown: unknown = await session.execute(anyName, parameters);
  using gone = session.events(["DEVICE_DELETED", "STOP"]);
  const event: QmpEvent<"DEVICE_DELETED" | "STOP"> | undefined = (await gone.next()).value;
  const path: string = (await session.waitFor("DEVICE_DELETED", { where: ({ data }) => data.device === "x" })).data.path;
  // @ts-expect-error: an event's data is of its own type
  const size: number = (await session.waitFor("SHUTDOWN")).data.reason;
  return [status, names, wrong, other, unknown, event, path, size];
}

/**
 * Comparing an event's name says what its data is: of some events, of all, in predicates, of a watcher, and of a session that has the types
 * of one QEMU.
 */
export async function narrowed(session: Session, own: SessionOf<QemuCommands, QemuEvents>, anyName: string): Promise<readonly unknown[]> {
  const said: unknown[] = [];
  for await (const event of session.events(["STOP", "SHUTDOWN"])) {
    if (event.event === "SHUTDOWN") said.push(event.data.reason satisfies string);
    // @ts-expect-error: STOP has no data
    else said.push(event.data.reason);
  }
  for await (const { event, data } of session.events(undefined, { bound: 3 }))
    if (event === "BALLOON_CHANGE") said.push(data.actual satisfies number);
  for await (const event of session.events()) {
    switch (event.event) {
      case "RESET":
        said.push(event.data.guest satisfies boolean);
        break;
      case "JOB_STATUS_CHANGE":
        said.push(event.data.id satisfies string);
        break;
      default:
        said.push(event.event satisfies string);
    }
    // @ts-expect-error: before that it may be any
    said.push(event.data.reason);
  }
  said.push(await session.waitFor((event) => event.event === "SHUTDOWN" && event.data.reason === "guest-shutdown"));
  using gone = session.events(["DEVICE_DELETED", "RESET"], { where: (event) => event.event === "RESET" || event.data.device === "x" });
  const some: AsyncIterable<QmpEvent<string>> = gone;
  for await (const event of session.events(anyName)) {
    // @ts-expect-error: of an event that is not known nothing is known
    said.push(event.data.reason);
  }
  for await (const sight of watch("unix:/x", { events: ["STOP", "SHUTDOWN"] }))
    if (sight.kind === "event" && sight.event.event === "SHUTDOWN") said.push(sight.event.data.reason satisfies string);
  for await (const sight of watch("unix:/x"))
    if (sight.kind === "event" && sight.event.event === "SHUTDOWN") said.push(sight.event.data.reason satisfies string);
  for await (const event of own.events(["STOP", "SHUTDOWN"], { where: (each) => each.event !== "SHUTDOWN" || each.data.guest }))
    if (event.event === "SHUTDOWN") said.push(event.data.reason satisfies string);
  for await (const event of own.events()) if (event.event === "RESET") said.push(event.data.guest satisfies boolean);
  said.push((await own.waitFor("SHUTDOWN")).data.reason satisfies string, some);
  return said;
}

/** The guest agent's commands are typed by hand; what is not in the table is sent by its name all the same. */
export async function typedAgent(agent: GuestAgent, anyName: string): Promise<readonly unknown[]> {
  const [first] = await agent.execute("guest-get-vcpus");
  const online: boolean | undefined = first?.online;
  const { pid } = await agent.execute("guest-exec", { path: "/bin/true", "capture-output": true }, { timeout: 5 });
  // @ts-expect-error: which program?
  await agent.execute("guest-exec");
  // @ts-expect-error: no such mode
  const nothing: undefined = await agent.execute("guest-shutdown", { mode: "hibernate" });
  const other: unknown = await agent.execute("guest-x-other", { some: 1 });
  const any: unknown = await agent.execute(anyName, { some: 1 });
  return [online, pid, nothing, other, any];
}

test("R16, R17: whatever the arguments, a request is strict JSON that says each member once", async () => {
  const { session, lines, heard } = await conversation();
  const odd = {
    'quo"te': "'single'",
    "per%cent": "%d\t\u0001\u007f\ufeff",
    nested: [{ "": null }],
    big: 2n ** 64n - 1n,
    id: "x",
    execute: "y",
  };
  void session.execute("x", odd).catch(() => {});
  await heard(1);
  const line = lines[1] as string;
  expect(line).not.toMatch(/[\u0000-\u001f]/);
  expect(line.match(/"execute":/g)).toHaveLength(2);
  expect(JSON.parse(line).arguments).toEqual({ ...odd, big: Number(odd.big) });
  await session.close();
});
