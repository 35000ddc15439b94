import type { Domain } from "../domain/facade.ts";
import type { ReadOptions } from "../domain/model/action.ts";
import { printAs } from "./answer.ts";
import { timeoutOf } from "./duration.ts";
import { EXIT } from "./exit-code.ts";
import { flow } from "./output.ts";
import type { Call, Io } from "./verb.ts";

/** What a verb reads of a domain, and how it shows that. */
export interface Showing<T> {
  readonly read: (domain: Domain, options: ReadOptions) => Promise<T>;
  readonly draw: (value: T) => string;
  /** Whether there are live values in it. An empty column alone would look like "stopped": then it is looked whether it can be reached. */
  readonly isLive: (value: T) => boolean;
}

/** Reads something of the domain of the first operand, and shows it. Resolves with the exit code, 1 if the machine does not answer. */
export async function showing<T>(call: Call<never, "timeout">, { read, draw, isLive }: Showing<T>): Promise<number> {
  const { args, io, facade } = call;
  const options = { ...timeoutOf(args), signal: io.signal };
  await using domain = await facade.open(args.operand(0));
  const value = await read(domain, options);
  printAs(call, value, draw);
  return isLive(value) ? EXIT.done : await sayUnreachable(domain, io, options);
}

/**
 * For an answer without live values: if the machine does not answer, says so on stderr. Resolves with the exit code, 1 if it does not
 * answer.
 */
export async function sayUnreachable(domain: Domain, io: Io, options: ReadOptions): Promise<number> {
  const { state, reason } = await domain.info(options);
  if (state !== "unreachable") return EXIT.done;
  io.stderr.write(flow(`qmpctl: ${domain.name}: unreachable${reason === undefined ? "" : `: ${reason}`}`, io.stderr.columns));
  return EXIT.failed;
}
