import { describe, expect, it } from "vitest";
import { connectAgent } from "../../../src/qmp/guest-agent.ts";
import { QmpFailure, startAgent } from "../../../src/testing/index.ts";
import { sayToAgent } from "../agent-words.ts";

const ANSWERS = {
  "guest-get-osinfo": () => ({ id: "debian" }),
  "guest-shutdown": () => undefined,
  "guest-suspend-disk": () => {
    throw new QmpFailure("GenericError", "no place to sleep");
  },
};

describe("a guest agent", () => {
  it("is spoken to by the engine's own client, in any weather (R45)", async () => {
    for (const weather of [{}, { chunk: 1 }, { before: '{"return": 1}\n{"half": ' }, { delay: 2 }]) {
      await using agent = await startAgent({ answers: ANSWERS, weather });
      await using session = await connectAgent(agent.address);
      expect(await session.execute("guest-ping")).toEqual({});
      expect(await session.execute("guest-get-osinfo" as string, { x: 1 })).toEqual({ id: "debian" });
      await expect(session.execute("guest-nosuch")).rejects.toMatchObject({ code: "command", class: "CommandNotFound" });
      await expect(session.execute("guest-suspend-disk")).rejects.toMatchObject({ desc: "no place to sleep" });
      expect(agent.said.map((it) => it.command)).toEqual(["guest-ping", "guest-get-osinfo", "guest-nosuch", "guest-suspend-disk"]);
    }
  });

  it("says nothing of a shutdown, and is gone when told", async () => {
    await using agent = await startAgent({ answers: ANSWERS });
    await using session = await connectAgent(agent.address);
    expect(await session.execute("guest-shutdown")).toBeUndefined();
    agent.reset();
    await expect(session.execute("guest-ping")).rejects.toMatchObject({ code: "closed" });
  });

  it("may be one that does not run, so that nothing is read", async () => {
    await using agent = await startAgent({ weather: { deaf: true } });
    await expect(connectAgent(agent.address, { timeout: 30 })).rejects.toMatchObject({ code: "greeting" });
  });

  it("may be an old one: ids do not come back", async () => {
    await using agent = await startAgent({ echoIds: false });
    const heard = (await sayToAgent(agent.address.slice(5))).join("");
    expect(heard).toContain('{"return": {}}\n');
    expect(heard).not.toContain('"id"');
  });
});
