/** What the loader runs at the far end, which was sent it: no file of it is there. */
import { endChildren } from "../wire/children.ts";
import { serveProcess } from "./far-process.ts";

/** What followed this program in stdin. */
declare const rest: Uint8Array;
declare const VERSION: string;

void serveProcess({ version: VERSION, first: rest })
  .then(endChildren)
  .then(() => process.exit(0));
