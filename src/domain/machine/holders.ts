import { formatTime, isErrorCode, QmpctlError } from "../../errors.ts";
import { type Client, type Clients, clientsOnTcp, clientsOnUnix } from "../../host/clients.ts";
import { isLoopback, parseTarget } from "../../wire/address.ts";
import { isQueueFull } from "../../wire/errors.ts";
import type { Identity } from "./identity.ts";
import { whyStopped } from "./wait-notice.ts";

/** Another client holds the monitor. QEMU serves one client at a time, so no other is heard meanwhile. */
export class HeldError extends QmpctlError {
  readonly address: string;
  /** The processes that hold it, as far as this user can see them. */
  readonly holders: readonly Client[];

  constructor(machine: Identity, address: string, holders: readonly Client[], waited: number, options: { readonly cause: unknown }) {
    super(
      "greeting",
      `${machine.known.domain}: ${describeHolders(address, holders)}, and serves one client at a time; waited ${formatTime(waited)}`,
      options,
    );
    this.address = address;
    this.holders = holders;
  }
}

/** Which monitor, and who holds it, in a few words. */
export function describeHolders(address: string, holders: readonly Client[]): string {
  const certain = holders.filter(({ isCertain }) => isCertain);
  const [shown, how] = certain.length > 0 ? [certain, "is held by"] : [holders, "is held by another client, possibly"];
  const who = shown.map(({ pid, command }) => `process ${pid}${command === undefined ? "" : ` (${command})`}`).join(" or ");
  return `its monitor ${address} ${who === "" ? "is held by another client, which this user can't see" : `${how} ${who}`}`;
}

/** How many characters of a command are shown in a line of progress, which ends with times. */
const SHOWN = 20;

/** The same for a progress line: it has to fit into one line of a terminal. */
export function describeWait(address: string, clients: Clients | null): string {
  const [first] = clients?.who ?? [];
  if (first === undefined)
    return clients === null ? `waiting for ${address} to greet` : "waiting for the monitor, which another client holds";
  const { pid, command, isCertain } = first;
  return `waiting for the monitor, which process ${pid}${command === undefined ? "" : ` (${command.length > SHOWN ? `${command.slice(0, SHOWN)}…` : command})`} ${isCertain ? "holds" : "may hold"}`;
}

/** The clients of a monitor; null if they can't be seen from here, as on another host. */
export async function holdersOf(machine: Identity, address: string): Promise<Clients | null> {
  const target = parseTarget(address);
  if (target.kind === "tcp" && isLoopback(target.host)) return clientsOnTcp(target.port);
  if (target.kind !== "unix") return null;
  return clientsOnUnix(target.path, [target.path, machine.known.domain]);
}

/**
 * A better error for a monitor that gave no session, if this host shows more: QEMU is stopped by a signal, or another client holds the
 * monitor. Else the error itself.
 */
export async function explained(machine: Identity, address: string, error: unknown, waited: number): Promise<unknown> {
  if (!isErrorCode(error, "connect", "greeting", "negotiation", "timeout")) return error;
  const why = await whyStopped(machine.pid);
  if (why !== null) return new QmpctlError("connect", `${machine.known.domain}: ${why}`, { cause: error });
  // Nobody listens there at all.
  if (error.code === "connect" && "errno" in error && error.errno !== undefined && !isQueueFull(error)) return error;
  const clients = await holdersOf(machine, address);
  return clients?.isHeld === true ? new HeldError(machine, address, clients.who, waited, { cause: error }) : error;
}
