import { lstatSync } from "node:fs";
import { parseTarget } from "../../wire/address.ts";
import { domainFolders, type DomainOptions, placeOf } from "./place.ts";

/**
 * The user whom a domain belongs to: the owner of its config, or of its monitor. Without a name, the owner of the config folder. Null if
 * there is nothing yet, or it is not on this host. A machine's lock, sockets and QEMU belong to this user. Root has to act as this user, or
 * there would be two locks.
 */
export async function ownerOf(name: string | undefined, options: DomainOptions = {}): Promise<number | null> {
  try {
    const path = name === undefined ? domainFolders(options).config : await pathOf(name, options);
    return path === undefined ? null : lstatSync(path).uid;
  } catch {
    return null; // opening it will say what is wrong
  }
}

async function pathOf(name: string, options: DomainOptions): Promise<string | undefined> {
  const { config, address } = await placeOf(name, options);
  if (config !== null) return config.path;
  const target = parseTarget(address ?? "");
  return target.kind === "unix" ? target.path : undefined;
}
