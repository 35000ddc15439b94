import { QmpFailure } from "./departure.ts";
import { formatJson, fromPlain, type Json } from "./json-value.ts";
import { refusalReply, successReply } from "./request.ts";

/** The reply of code that answers a command: what it returns (nothing is `{}`), or the QmpFailure that it throws. */
export async function handled(handler: (args: unknown) => unknown, args: unknown, id: Json | undefined): Promise<string> {
  try {
    return formatJson(successReply(fromPlain((await handler(args)) ?? {}), id));
  } catch (error) {
    if (!(error instanceof QmpFailure)) throw error;
    return formatJson(refusalReply({ class: error.class, desc: error.message, id }));
  }
}
