import { formatJson, fromPlain, type Json } from "../json/json-value.ts";
import { QmpFailure } from "./mismatch.ts";
import { refusalReply, successReply } from "./request.ts";

/**
 * The reply of a function that answers a command: what it returns (nothing is `{}`), or the QmpFailure that it throws. Anything else that
 * it throws is a mistake in the function, and is reported to the client and to the test.
 */
export async function handled(
  handler: (args: unknown) => unknown,
  args: unknown,
  id: Json | undefined,
  onMistake: (why: string) => void,
): Promise<string> {
  try {
    return formatJson(successReply(fromPlain((await handler(args)) ?? {}), id));
  } catch (error) {
    const failure = error instanceof QmpFailure ? error : new QmpFailure("GenericError", `answers: ${String(error)}`);
    if (failure !== error) onMistake(failure.message);
    return formatJson(refusalReply({ class: failure.class, desc: failure.message, id }));
  }
}
