import { expect, it } from "vitest";
import { privateFolder } from "../../../scripts/lab/machine.ts";
import { connectAgent } from "../../../src/qmp/guest-agent.ts";
import type { Mismatch } from "../../../src/testing/protocol/mismatch.ts";
import { Vocabulary } from "../../../src/testing/protocol/vocabulary.ts";
import { Recording } from "../../../src/testing/record/recording.ts";
import { RecordedAgent } from "../../../src/testing/server/recorded-agent.ts";
import { Stage } from "../../../src/testing/server/stage.ts";
import { AGENT_CHANNEL } from "../../../src/testing/transcript/agent-channel.ts";
import { timelineOf } from "../../../src/testing/transcript/timeline.ts";
import { parseTranscript } from "../../../src/testing/transcript/transcript.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

it("what is said to an agent is written down without its random numbers, its byte, and what answers that byte", () => {
  const recording = new Recording({}, [], false);
  const tap = recording.connect(AGENT_CHANNEL);
  tap.client(bytes('\xff{"execute":"guest-sync-delimited","arguments":{"id":4711}}\n'));
  tap.client(bytes('{"execute":"guest-sync-delimited","arguments":{"id":815},"id":815}\n'));
  tap.server(bytes('{"error": {"class": "GenericError", "desc": "JSON parse error, stray \'\\uFFFD\'"}}\n'));
  tap.server(bytes('\xff{"return": 4711}\n\xff{"ret'));
  tap.server(bytes('urn": 815, "id": 815}\n'));
  tap.client(bytes('{"execute":"guest-set-vcpus","arguments":{"vcpus":[]},"id":9}\n'));
  tap.server(bytes('{"return": 0, "id": 9}\n'));
  tap.close();
  recording.end();
  expect(recording.text.replace(/agent \d+/, "agent")).toBe(
    [
      "#! connect 1 guest/agent",
      '-> {"execute": "guest-sync-delimited", "arguments": {"id": 0}}',
      '-> {"execute": "guest-sync-delimited", "arguments": {"id": 0}, "id": 1}',
      '<- {"return": 0}',
      '<- {"return": 0, "id": 1}',
      '-> {"execute": "guest-set-vcpus", "arguments": {"vcpus": []}, "id": 2}',
      '<- {"return": 0, "id": 2}',
      "#! close 1",
      "#! end",
      "",
    ].join("\n"),
  );
});

/** A conversation in which the agent answers, changes something, refuses, and then says nothing more. */
const SYNC = `-> {"execute":"guest-sync-delimited","arguments":{"id":0}}
-> {"execute":"guest-sync-delimited","arguments":{"id":0},"id":1}`;
const SAID = `#! connect 1 control
<- {"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}
-> {"execute":"qmp_capabilities","id":1}
<- {"return": {}, "id": 1}
#! connect 2 ${AGENT_CHANNEL}
${SYNC}
<- {"return": 0}
<- {"return": 0, "id": 1}
-> {"execute":"guest-get-vcpus","id":2}
<- {"return": [{"online": true, "logical-id": 0}], "id": 2}
#! close 2
#! connect 3 ${AGENT_CHANNEL}
-> {"execute":"guest-fsfreeze-freeze","id":3}
<- {"return": 1, "id": 3}
-> {"execute":"guest-get-vcpus","id":4}
<- {"id": 4, "error": {"class": "CommandNotFound", "desc": "it is frozen"}}
-> {"execute":"guest-exec","arguments":{"path":"/bin/sh"},"id":5}
#! close 3
#! connect 4 ${AGENT_CHANNEL}
${SYNC}
#! close 4
#! end
`;

it("a recorded agent says what it said, in that order, and is silent where it was", async () => {
  const timeline = timelineOf(parseTranscript(SAID));
  const stage = new Stage({
    timeline,
    monitors: [],
    weather: {},
    oob: undefined,
    idle: 250,
    answers: {},
    vocabulary: new Vocabulary(() => undefined, 10),
  });
  const mismatches: Mismatch[] = [];
  const agent = new RecordedAgent(stage, { onMismatch: (mismatch) => mismatches.push(mismatch), onChange: () => {} });
  await using folder = await privateFolder();
  const path = `${folder.path}/agent.sock`;
  await agent.listen({ kind: "unix", path });
  {
    await using client = await connectAgent(`unix:${path}`);
    expect(await client.execute("guest-get-vcpus")).toEqual([{ online: true, "logical-id": 0 }]);
    // As often as anybody asks, as long as nothing has changed.
    expect(await client.execute("guest-get-vcpus")).toHaveLength(1);
    expect(await client.execute("guest-fsfreeze-freeze")).toBe(1);
    await expect(client.execute("guest-get-vcpus")).rejects.toMatchObject({ class: "CommandNotFound", desc: "it is frozen" });
    expect([await client.execute("guest-fsfreeze-thaw").catch((error: Error) => error.message), mismatches]).toEqual([
      expect.stringMatching(/guest-fsfreeze-thaw was asked where guest-exec .* comes next/),
      [expect.objectContaining({ command: "guest-fsfreeze-thaw" })],
    ]);
    await expect(client.execute("guest-exec", { path: "/bin/sh" }, { timeout: 1000 })).rejects.toMatchObject({ code: "timeout" });
  }
  await expect(connectAgent(`unix:${path}`, { timeout: 1000 })).rejects.toMatchObject({ code: "greeting" });
  await agent.close();
  await stage.exit("0");
});
