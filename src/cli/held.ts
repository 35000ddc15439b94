import type { Domain, Monitor } from "./facade.ts";

/**
 * What somebody keeps from others by staying at a monitor; undefined at the second one of a machine of ours, which is there for that.
 */
export function whatIsHeld({ name }: Domain, { address }: Monitor): string | undefined {
  if (address === undefined || address.endsWith("/watch.sock")) return undefined;
  if (name.includes(":")) return `A monitor serves one client: all others wait while this one holds ${name}.`;
  return `Changes of this machine wait while this holds ${address}: its only free monitor.`;
}
