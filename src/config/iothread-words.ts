import { valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** An iothread that args make, `-object iothread,id=io0`. */
export interface IothreadOption {
  readonly id: string;
  readonly option: Option;
  /** The position of its first word in args. */
  readonly at: number;
}

/** The iothreads that args make, in their order. */
export function iothreadsIn(args: readonly string[]): readonly IothreadOption[] {
  let at = 0;
  return splitOptions(args).flatMap((option): readonly IothreadOption[] => {
    const first = at;
    at += option.words.length;
    if (option.name !== "object") return [];
    const values = valuesOf(option, "qom-type");
    const id = values.get("id");
    return values.get("qom-type") === "iothread" && id !== undefined ? [{ id, option, at: first }] : [];
  });
}
