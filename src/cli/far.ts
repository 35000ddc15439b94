/** What the loader runs at the far end, which was sent it: no file of it is there. */
import { serveHere } from "../remote/far-end.ts";
import { endChildren } from "../wire/children.ts";
import { openFacade } from "./open.ts";

/** What followed this program in stdin. */
declare const rest: Uint8Array;
declare const VERSION: string;

const interrupted = new AbortController();
// A connection that ends says so by the end of stdin, and sshd's hangup must not end what has begun.
process.on("SIGHUP", () => {});
process.once("SIGTERM", () => interrupted.abort(new Error("interrupted by SIGTERM")));
const { stdin, stdout, env } = process;
const uid = process.geteuid?.() ?? -1;
void serveHere(openFacade(env), { stdin, stdout, env, uid, version: VERSION, signal: interrupted.signal, first: rest })
  .then(endChildren)
  .then(() => process.exit(0));
