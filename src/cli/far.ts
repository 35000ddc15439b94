/** The far end that is sent to a host, as far-launcher.ts runs it. */
import type { More } from "../remote/more.ts";
import { endChildren } from "../wire/children.ts";
import { serveProcess } from "./far-process.ts";

/** What followed this program in stdin. */
declare const rest: Uint8Array;
/** The part of this program that has not come yet. */
declare const more: More;
declare const VERSION: string;

void serveProcess({ version: VERSION, first: rest, more })
  .then(endChildren)
  .then(() => process.exit(0));
