import { once } from "node:events";
import { createConnection } from "node:net";

/** What may be said to a guest agent, one character a byte, right and wrong. */
export const AGENT_WORDS: readonly string[] = [
  "\xff",
  '{"execute":"guest-ping","id":"x"}\n',
  '{"execute":"guest-sync","arguments":{"id":9007199254740993},"id":1}\n',
  '{"execute":"guest-sync","arguments":{"id":"a"}}',
  '{"execute":"guest-sync","arguments":{"id":1.5}}',
  '{"execute":"guest-sync-delimited"}\n',
  '{"execute":"nosuch","id":{"b":1,"a":2}}\n',
  '{"a":@}\n',
  '{"a":1}\n',
  "[]\n",
  '{"exec-oob":"guest-ping"}\n',
  '{"execute":"guest-ping"',
];

/** Says all of it, each followed by a request to synchronise, and gives all that came. */
export async function sayToAgent(path: string): Promise<readonly string[]> {
  const socket = createConnection(path);
  await once(socket, "connect");
  let received = "";
  const heard: string[] = [];
  const more = socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
  });
  for (const [index, words] of AGENT_WORDS.entries()) {
    received = "";
    socket.write(Buffer.from(`${words}\xff\n{"execute":"guest-sync-delimited","arguments":{"id":${1000 + index}}}\n`, "latin1"));
    while (!received.endsWith(`\xff{"return": ${1000 + index}}\n`)) await once(more, "data");
    heard.push(received);
  }
  socket.destroy();
  return heard;
}
