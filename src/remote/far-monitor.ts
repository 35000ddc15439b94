import { Buffer } from "node:buffer";
import { deadlineIn } from "../deadline.ts";
import { mustBeSameRun, type Word } from "../domain/machine/identity.ts";
import { MONITOR_TIMEOUT } from "../domain/machine/place.ts";
import { withDeadline } from "../domain/machine/with-deadline.ts";
import { open, type Session } from "../qmp/session.ts";
import { Framer } from "../wire/framing.ts";
import { Intake } from "../wire/socket.ts";
import type { Message, Transport } from "../wire/transport.ts";
import { PIECE } from "./frame.ts";
import type { CallOptions, Link } from "./link.ts";

/**
 * A session with a monitor of a domain on another host: the far end carries the bytes, and the conversation is had here. The far end has
 * made sure, on a connection before this one, whose machine it is; that it is the same on this one is asked here.
 *
 * @throws what finding the machine there throws; StrangerError when another QEMU answers by now; the session's errors; LostError; the
 * signal's reason
 */
export async function connectMonitor(link: Link, host: string, domain: string, options: CallOptions): Promise<Session> {
  const { signal, timeout } = options as { readonly signal?: AbortSignal; readonly timeout?: number };
  const { who, ...opened } = await channelTo(link, host, domain, options);
  const session = await open(opened, { timeout, signal });
  try {
    const by = deadlineIn(timeout ?? MONITOR_TIMEOUT);
    await withDeadline(() => mustBeSameRun(domain, session, who, opened.peer), `${opened.peer}: the monitor`, { by, signal });
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** The bytes of a monitor there, and who answered at it before. */
async function channelTo(link: Link, host: string, domain: string, options: CallOptions): Promise<Transport & { readonly who: Word }> {
  let channel: Intake | undefined;
  let call = 0;
  let ended: Promise<void> = Promise.resolve();
  const take = ({ data }: Message): void => void (typeof data === "string" && channel?.read(Buffer.from(data, "base64")));
  const { peer, who } = await new Promise<{ readonly peer: string; readonly who: Word }>((resolve, reject) => {
    const onOpen = (address: unknown, answered: unknown): void => {
      const opened = `ssh://${host}/${String(address)}`;
      // At once: the greeting may be in the same read.
      channel = new Intake(new Framer(opened));
      resolve({ peer: opened, who: answered as Word });
    };
    const asked = link.ask({ what: "connect", domain, options: { ...options, onOpen }, onChannel: take });
    call = asked.call;
    ended = asked.answer.then(
      () => channel?.inbox.end(),
      (error: unknown) => (channel === undefined ? reject(error as Error) : channel.inbox.end(error)),
    );
  });
  const inbox = (channel as Intake | undefined)?.inbox as Intake["inbox"];
  return {
    peer,
    who,
    send(words) {
      const bytes = typeof words === "string" ? Buffer.from(words) : Buffer.from(words);
      for (let at = 0; at < bytes.length; at += PIECE) {
        link.channel(call, { data: bytes.toString("base64", at, Math.min(bytes.length, at + PIECE)) });
      }
    },
    async close() {
      inbox.end();
      link.channel(call, { end: true });
      await ended;
    },
    [Symbol.asyncIterator]: () => inbox,
  };
}
