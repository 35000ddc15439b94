import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import type { Domain } from "../domain/facade.ts";
import { type Word, wordOf } from "../domain/machine/identity.ts";
import { QmpctlError, UsageError } from "../errors.ts";
import type { Session } from "../qmp/session.ts";
import { faultOf, number, object, optional, string } from "../shape.ts";
import { parseTarget } from "../wire/address.ts";
import { refusal } from "../wire/socket.ts";
import type { Message } from "../wire/transport.ts";
import { PIECE } from "./frame.ts";

/** The far end's side of a channel: a monitor, and the near end behind the frames. */
export interface Bridge {
  /** The monitor's address there. */
  readonly address: string;
  /** Who answered there before, on a connection of ours: the near end has to find the same on its own. */
  readonly who: Word;
  /** Takes a frame of the near end. */
  take(frame: Message): void;
  close(): void;
  /** Resolves when the monitor's connection has ended. */
  readonly ended: Promise<void>;
}

const OPTIONS = object({ timeout: optional(number), monitor: optional(string) });

/**
 * Connects the near end with a monitor of a machine, byte by byte: the conversation is its own. The machine is asked who it is before, on a
 * connection of ours, and again by the near end.
 *
 * @throws what opening a session of that machine throws; UsageError when its monitor is no socket
 */
export async function bridge(machine: Domain, given: unknown, signal: AbortSignal, send: (frame: object) => void): Promise<Bridge> {
  const fault = faultOf(OPTIONS, given ?? {});
  if (fault !== undefined) throw new UsageError(`connect: ${fault.message}`, { value: given, expected: "options of connect" });
  const { address, who } = await known(machine, given as object, signal);
  const socket = await dialled(address, signal);
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  socket.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at += PIECE) send({ data: chunk.toString("base64", at, Math.min(chunk.length, at + PIECE)) });
  });
  socket.on("error", () => {});
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    address,
    who,
    ended,
    close: () => void socket.destroy(),
    take({ data, end }) {
      if (typeof data === "string") socket.write(Buffer.from(data, "base64"));
      else if (end === true) socket.destroy();
    },
  };
}

async function known(machine: Domain, options: object, signal: AbortSignal): Promise<Pick<Bridge, "address" | "who">> {
  await using monitor = await machine.connect({ ...options, signal });
  if (monitor.address === undefined) throw new QmpctlError("connect", `${machine.name}: its monitor has no address`);
  // A domain of this host connects by a whole session.
  return { address: monitor.address, who: await wordOf(monitor as unknown as Session) };
}

function dialled(address: string, signal: AbortSignal): Promise<Socket> {
  const target = parseTarget(address);
  if (target.kind !== "unix" && target.kind !== "tcp")
    throw new UsageError(`${address}: only a monitor on a socket can be worked with from another host`, {
      value: address,
      expected: "unix: or tcp:",
    });
  const socket = connect(target.kind === "unix" ? { path: target.path } : { host: target.host, port: target.port });
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      socket.destroy();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => {
      signal.removeEventListener("abort", abort);
      resolve(socket);
    });
    socket.once("error", (cause) => reject(refusal(address, cause)));
  });
}
