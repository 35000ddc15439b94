import type { Caller } from "../caller.ts";
import { formatHost, type HostAddress, parseHost } from "../host-address.ts";
import { remoteFacade } from "../remote-host.ts";
import { jumpsOf } from "./jumps.ts";
import type { FleetHost } from "./known-hosts.ts";
import type { Dialled, Member } from "./member.ts";

/** The hosts of a list as a fleet has them: with the jump host that each is behind. */
export async function membersOf(hosts: readonly FleetHost[], ssh: string | undefined): Promise<readonly Member[]> {
  const jumps = await jumpsOf(hosts, { ssh });
  return hosts.map(({ name, at }) => ({ name, address: formatHost(at), jump: jumps.get(name) ?? undefined }));
}

/** The domains of a host by a caller of its own. `callerOf` is given what says which signal holds at the moment. */
export function dialled(address: string, callerOf: (at: HostAddress, signal: () => AbortSignal | undefined) => Caller): Dialled {
  let now: AbortSignal | undefined;
  const caller = callerOf(parseHost(address), () => now);
  return {
    facade: remoteFacade(caller, address),
    until: (signal) => void (now = signal),
    close: () => caller[Symbol.asyncDispose](),
  };
}
