import { lstatSync } from "node:fs";
import { domainFolders, type DomainOptions, placeOf } from "./place.ts";

/**
 * The user whom a domain belongs to: the owner of its config, or of its monitor. Without a name, the owner of the config folder. Null if
 * there is nothing yet, or it is not on this host. A machine's lock, sockets and QEMU belong to this user. Root has to act as this user, or
 * there would be two locks.
 */
export async function ownerOf(name: string | undefined, options: DomainOptions = {}): Promise<number | null> {
  try {
    if (name === undefined) return lstatSync(domainFolders(options).config).uid;
    const { config, address } = await placeOf(name, options);
    if (config !== null) return lstatSync(config.path).uid;
    return address === null ? null : await (await import("./find-address.ts")).ownerAt(address);
  } catch {
    return null; // opening it will say what is wrong
  }
}
