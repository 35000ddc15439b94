import { parseAddress } from "../../src/wire/address.ts";
import { dial } from "../../src/wire/dial.ts";
import type { Message, Transport } from "../../src/wire/transport.ts";

/** What somebody on the way to QEMU may do to what passes by. */
export interface Acts {
  /** Text that was sent, as it is to go on. */
  send?(text: string): string;
  /** Messages that came together, as they are to go on. */
  hear?(batch: readonly Message[]): readonly Message[];
}

/** A connection to a real monitor, all that passed on it, and a way to say something else on it. */
export interface Wire {
  /** To be opened: what the session sends and hears goes through the acts. */
  readonly transport: Transport;
  /** Lines of the session, as they went out. */
  readonly sent: string[];
  /** What QEMU said, as it said it. */
  readonly heard: Message[];
  /** Says something that the session knows nothing of. */
  say(text: string | Uint8Array): void;
  /** Resolves when the session has seen a message like that, and has had its time to act on it. */
  saw(wanted: (message: Message) => boolean): Promise<Message>;
}

/** Stands between a session and a real monitor. */
export async function between(address: string, acts: Acts = {}): Promise<Wire> {
  return standing(await dial(parseAddress(address)), acts);
}

/** Stands between a session and any transport. */
export function standing(plain: Transport, acts: Acts = {}): Wire {
  const sent: string[] = [];
  const heard: Message[] = [];
  let seen = 0;
  const lookers = new Set<() => void>();
  const transport: Transport = {
    ...plain,
    send(bytes) {
      const text = acts.send?.(String(bytes)) ?? String(bytes);
      sent.push(...text.split("\n").filter((line) => line !== ""));
      plain.send(text);
    },
    async *[Symbol.asyncIterator]() {
      for await (const batch of plain) {
        heard.push(...batch);
        yield acts.hear?.(batch) ?? batch;
        // The session asks for more: it has seen these.
        seen = heard.length;
        for (const look of lookers) look();
      }
    },
  };
  const saw = (wanted: (message: Message) => boolean): Promise<Message> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = heard.slice(0, seen).find(wanted);
        if (found === undefined) return;
        lookers.delete(look);
        resolve(found);
      };
      lookers.add(look);
      look();
    });
  return { transport, sent, heard, say: (text) => plain.send(text), saw };
}

/** The text of an error that has no id: nobody can say whose it is. */
export function namelessError(message: Message): string | undefined {
  return message["id"] === undefined ? (message["error"] as { readonly desc?: string } | undefined)?.desc : undefined;
}
