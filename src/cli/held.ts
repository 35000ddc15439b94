import type { Domain, Monitor } from "../domain/facade.ts";

/** What others must wait for while we stay connected. `undefined` on the second monitor of a machine of ours: it is there for that. */
export function whatIsHeld({ name }: Domain, { address }: Monitor): string | undefined {
  if (address === undefined || address.endsWith("/watch.sock")) return undefined;
  if (name.includes(":")) return `A monitor serves one client at a time: all others wait while ${name} is in use here.`;
  return `Changes of this machine wait while ${address} is in use here: it is the only free monitor.`;
}
