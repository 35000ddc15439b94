import { misuse } from "./options.ts";

/** A command line without the words in front of its verb that are about another host. */
export interface Hosted {
  readonly host: string;
  /** Whether the qmpctl that is installed there is to be used. */
  readonly installed: boolean;
  /** The path of Node there. */
  readonly remoteNode: string | undefined;
  readonly argv: readonly string[];
}

const VALUE = /^(?:-H|--(host|remote-node)(?:=|$))/;

/**
 * Takes `-H HOST` (`-HHOST`, `--host HOST`), `--installed` and `--remote-node PATH` from the front.
 *
 * `usual`: the host of the environment. @throws UsageError when a value is missing, or there is no host
 */
export function withoutHost(given: readonly string[], usual: string | undefined): Hosted {
  let host = usual;
  let remoteNode: string | undefined;
  let installed = false;
  let argv = given;
  for (let [first = "", ...rest] = argv; first === "--installed" || VALUE.test(first); [first = "", ...rest] = argv) {
    if (first === "--installed") {
      installed = true;
      argv = rest;
      continue;
    }
    const joined = /^(?:-H(.+)|--[a-z-]+=(.*))$/s.exec(first);
    const value = joined === null ? rest[0] : (joined[1] ?? joined[2]);
    argv = joined === null ? rest.slice(1) : rest;
    const isNode = first.startsWith("--remote-node");
    if (value === undefined || value === "")
      throw misuse(`${first}: a value is missing`, first, isNode ? "--remote-node PATH" : "-H HOST, as -H kvm1 or -H root@kvm1");
    if (isNode) remoteNode = value;
    else host = value;
  }
  if (host === undefined) throw misuse(`${given[0]}: of which host? -H HOST is missing`, given[0], `-H HOST ${given[0]}`);
  return { host, installed, remoteNode, argv };
}
