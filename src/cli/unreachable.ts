import type { Domain } from "../domain/facade.ts";
import type { ReadOptions } from "../domain/model/action.ts";
import { EXIT } from "./exit-code.ts";
import { flow } from "./output.ts";
import type { Io } from "./verb.ts";

/**
 * For an answer without live values: if the machine does not answer, says so on stderr.
 * Resolves with the exit code. It is 1 if the machine does not answer, because an empty column alone would look like "stopped".
 */
export async function sayUnreachable(domain: Domain, io: Io, options: ReadOptions): Promise<number> {
  const { state, reason } = await domain.info(options);
  if (state !== "unreachable") return EXIT.done;
  io.stderr.write(flow(`qmpctl: ${domain.name}: unreachable${reason === undefined ? "" : `: ${reason}`}`, io.stderr.columns));
  return EXIT.failed;
}
