import type { Caller } from "../caller.ts";
import { formatHost, type HostAddress, parseHost } from "../host-address.ts";
import { remoteFacade } from "../remote-host.ts";
import { jumpsOf, MOST_BEHIND_ONE } from "./jumps.ts";
import type { FleetHost } from "./known-hosts.ts";
import type { Dialled, Member } from "./member.ts";
import { AT_ONCE } from "./pool.ts";

/**
 * The hosts of a list as a fleet has them: with the jump host that each is behind, if that matters to so many at once.
 *
 * @throws the signal's reason
 */
export async function membersOf(
  hosts: readonly FleetHost[],
  {
    ssh,
    atOnce = AT_ONCE,
    signal,
  }: { readonly ssh?: string | undefined; readonly atOnce?: number | undefined; readonly signal?: AbortSignal },
): Promise<readonly Member[]> {
  const jumps = atOnce > MOST_BEHIND_ONE ? await jumpsOf(hosts, { ssh, signal }) : new Map<string, string | null>();
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
