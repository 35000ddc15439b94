import type { ReadOptions } from "../domain/model/action.ts";
import { EXIT } from "./exit-code.ts";
import type { Domain } from "./facade.ts";
import { flow } from "./output.ts";
import type { Io } from "./verb.ts";

/**
 * For an answer that has no live side: says on stderr why, when that is because the machine does not answer.
 * Resolves with the exit code, 1 then: what was asked for is not known, and an empty column would look like "stopped".
 */
export async function sayUnreachable(domain: Domain, io: Io, options: ReadOptions): Promise<number> {
  const { state, reason } = await domain.info(options);
  if (state !== "unreachable") return EXIT.done;
  io.stderr.write(flow(`qmpctl: ${domain.name}: unreachable${reason === undefined ? "" : `: ${reason}`}`, io.stderr.columns));
  return EXIT.failed;
}
