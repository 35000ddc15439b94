/** The far end that is sent to a host, as far-launcher.ts runs it. */
import type { More } from "../remote/more.ts";
import { endChildren } from "../wire/children.ts";
import { serveProcess } from "./far-process.ts";

/** What followed this program in stdin. */
declare const rest: Uint8Array;
/** The part of this program that has not come yet. */
declare const more: More;
declare const VERSION: string;

// In a file of the host's it is what a timer runs.
const work = more.isAlone
  ? import("./far-alone.ts").then(({ runAlone }) => runAlone(more))
  : serveProcess({ version: VERSION, first: rest, more });
void work.then(endChildren).then(() => process.exit());
