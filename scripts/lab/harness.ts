import { once } from "node:events";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Exit } from "./exit.ts";

/** An event as QEMU sends it. */
export interface HarnessEvent {
  readonly event: string;
  readonly data?: any;
}

interface Message extends Partial<HarnessEvent> {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** What the harness can do over its own descriptor. */
export interface Harness {
  /** The reply to a QMP command. Rejects with QEMU's desc, or with its last output if it has ended. */
  ask(command: string, args?: object): Promise<any>;
  /** The first event of that name, since QEMU's start, with the wanted data. */
  seen(event: string, wanted?: (data: any) => boolean, options?: { readonly timeout?: number }): Promise<HarnessEvent>;
}

/**
 * The simplest possible QMP client, over a descriptor that only the harness has. It shares no code with the product's client, on purpose.
 * Resolves when QEMU has greeted and is in command mode.
 */
export async function openHarness(socket: Socket, exited: Promise<Exit>, timeout: number): Promise<Harness> {
  const waiting = new Map<number, (message: Message) => void>();
  const events: HarnessEvent[] = [];
  const watchers = new Set<(event: HarnessEvent) => void>();
  const lines = createInterface({ input: socket });
  // If QEMU dies while it writes, the connection is reset. `exited` says how it ended.
  lines.on("error", () => socket.destroy());
  const gone = exited.then(({ code, signal, stderr }) => {
    throw new Error(`QEMU ended (${signal ?? code}): ${stderr}`);
  });
  gone.catch(() => {});
  await Promise.race([gone, once(lines, "line", { signal: AbortSignal.timeout(timeout) })]);

  lines.on("line", (line) => {
    const { event, data, ...reply } = JSON.parse(line) as Message;
    if (event !== undefined) {
      events.push({ event, data });
      for (const watcher of watchers) watcher({ event, data });
    }
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  let last = 0;
  const harness: Harness = {
    async ask(command, args) {
      const id = ++last;
      const answer = new Promise<Message>((resolve) => waiting.set(id, resolve));
      socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }), id })}\n`);
      const message = await Promise.race([gone, answer]).finally(() => waiting.delete(id));
      if (message.error) throw new Error(message.error.desc);
      return message.return;
    },
    async seen(name, wanted = () => true, { timeout: patience = 60_000 } = {}) {
      const isIt = ({ event, data }: HarnessEvent): boolean => event === name && wanted(data);
      const before = events.find(isIt);
      return before ?? Promise.race([gone, firstEvent(watchers, isIt, `${name} with ${wanted}`, patience)]);
    },
  };
  await harness.ask("qmp_capabilities");
  return harness;
}

function firstEvent(
  watchers: Set<(event: HarnessEvent) => void>,
  isIt: (event: HarnessEvent) => boolean,
  what: string,
  timeout: number,
): Promise<HarnessEvent> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      watchers.delete(watcher);
    };
    const watcher = (event: HarnessEvent): void => {
      if (!isIt(event)) return;
      finish();
      resolve(event);
    };
    const timer = setTimeout(() => {
      finish();
      reject(new Error(`waited ${timeout} ms for the event ${what}`));
    }, timeout);
    watchers.add(watcher);
  });
}
