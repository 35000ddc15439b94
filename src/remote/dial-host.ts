import { env as ownEnvironment } from "node:process";
import { UsageError } from "../errors.ts";
import { Caller } from "./caller.ts";
import { connectHost, type HostOptions } from "./connection.ts";
import { formatHost, type HostAddress, parseRemote } from "./host-address.ts";
import { shippedProgram } from "./shipped-program.ts";

/** Calls to the host of an address `ssh://HOST`. @throws UsageError when it is none */
export function callerOf(address: string, options: HostOptions): Caller {
  const { at, domain } = parseRemote(address);
  if (domain === null) return callerAt(at, options);
  throw new UsageError(`${address}: it has a domain`, { value: address, expected: `ssh://${formatHost(at)}, or Domain.open` });
}

/** Calls to a host, by the program that this package ships. `signal`: which one gives up a connection that is made now. */
export function callerAt(at: HostAddress, options: HostOptions, signal: () => AbortSignal | undefined = () => options.signal): Caller {
  const ssh = options.ssh ?? (ownEnvironment["QMPCTL_SSH"] || undefined);
  return new Caller(formatHost(at), () => connectHost(at, shippedProgram, { ...options, ssh, signal: signal() }));
}
