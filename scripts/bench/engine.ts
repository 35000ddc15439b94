import { open } from "../../src/qmp/session.ts";
import { Framer } from "../../src/wire/framing.ts";
import { Inbox } from "../../src/wire/inbox.ts";
import type { Message, Transport } from "../../src/wire/transport.ts";
import { compare, perSecond, type Row, timed, times } from "./measure.ts";

const ROUNDS = 9;
const COMMANDS = 200_000;
const BATCH = 8;

const ID = '"id":';
const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}\r\n';

/**
 * The engine alone: ids, order, deadlines, checks and promises, with a peer in the same process that answers at once. The JSON of
 * the messages is in both figures. Then once more with the bytes of a socket, which have to be taken apart first.
 */
export async function engineRows(): Promise<readonly Row[]> {
  const alone = await compare(ROUNDS, () => converse(echo()), throughJson);
  const bytes = await compare(ROUNDS, () => converse(byteEcho()), throughJson);
  const rate = (COMMANDS / alone.ours) * 1000;
  const bytesRate = (COMMANDS / bytes.ours) * 1000;
  const json = `JSON alone: ${perSecond((COMMANDS / alone.against) * 1000)}`;
  return [
    {
      work: "the engine alone, time",
      ours: perSecond(rate),
      against: json,
      ratio: times(alone.ratio),
      goal: "at most 2",
      reached: alone.ratio <= 2,
    },
    {
      work: "the engine and its framing, rate",
      ours: perSecond(bytesRate),
      against: json,
      ratio: times(bytes.ratio),
      goal: "over 150,000/s",
      reached: bytesRate > 150_000,
    },
  ];
}

async function converse(transport: Transport): Promise<number> {
  await using session = await open(transport);
  return await timed(async () => {
    for (let done = 0; done < COMMANDS; done += BATCH) {
      await Promise.all(Array.from({ length: BATCH }, () => session.execute("query-status")));
    }
  });
}

/** The same messages, written and read, and nothing else. */
async function throughJson(): Promise<number> {
  let length = 0;
  const time = await timed(() => {
    for (let index = 0; index < COMMANDS; index++) {
      const id = 470 + (index % 10);
      length += JSON.stringify({ execute: "query-status", id }).length;
      length += JSON.parse(statusReply(id)).id;
    }
  });
  if (length === 0) throw new Error("nothing was measured");
  return time;
}

function statusReply(id: number | string): string {
  return `{"return": {"status": "prelaunch", "singlestep": false, "running": false}, "id": ${id}}\r\n`;
}

/** Answers every request at once; `read` makes messages of what was said. */
class Echo implements Transport {
  readonly peer = "echo";
  readonly #inbox = new Inbox();
  readonly #read: (text: string) => readonly Message[];

  constructor(read: (text: string) => readonly Message[]) {
    this.#read = read;
    this.#inbox.push(read(GREETING));
  }

  send(text: string): void {
    this.#inbox.push(this.#read(repliesTo(text)));
  }

  async close(): Promise<void> {
    this.#inbox.end();
  }

  [Symbol.asyncIterator](): Inbox {
    return this.#inbox;
  }
}

/** A peer without a wire. */
function echo(): Transport {
  return new Echo((text) =>
    text
      .trimEnd()
      .split("\r\n")
      .map((line) => JSON.parse(line) as Message),
  );
}

/** A peer whose words come as bytes. */
function byteEcho(): Transport {
  const framer = new Framer("echo");
  return new Echo((text) => framer.read(Buffer.from(text)).messages);
}

/** The id stands last in a request of ours; to parse the whole of it would be to measure the fake. */
function repliesTo(requests: string): string {
  let replies = "";
  for (let at = requests.indexOf(ID); at >= 0; at = requests.indexOf(ID, at + 1)) {
    replies += statusReply(requests.slice(at + ID.length, requests.indexOf("}", at + ID.length)));
  }
  return replies;
}
