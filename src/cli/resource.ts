import type { Resource } from "../domain/resources/registry.ts";
import { nearest } from "../nearest.ts";
import { type Arguments, misuse } from "./options.ts";

/** The resource that the second operand names, if it is there. @throws UsageError when it is not one of `names` */
export function resourceOf({ operands }: Pick<Arguments, "operands">, names: readonly Resource[]): Resource | undefined {
  const word = operands[1];
  if (word === undefined) return undefined;
  const found = names.find((name) => name === word);
  if (found !== undefined) return found;
  const near = nearest(word, names);
  throw misuse(`${word}: ${near === undefined ? `give one of ${names.join(", ")}` : `did you mean ${near}?`}`, word, names.join(", "));
}

/** `memory, vcpus or vcpu-pin`. */
export function orOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1) ?? ""}`;
}
