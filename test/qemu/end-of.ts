import { RefusedError } from "../../src/domain/change/errors.ts";
import type { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

/** How both halves of a change ended, as `applied/skipped`; of a refused one, which halves spoke against it. */
export async function endOf(domain: Domain, change: Change, scope: Scope): Promise<string> {
  try {
    const { changes } = await domain.change(change, { scope });
    return `${changes[0]?.static.outcome}/${changes[0]?.dynamic.outcome}`;
  } catch (error) {
    if (error instanceof RefusedError) return `refused: ${[...new Set(error.report.refusals.map(({ leg }) => leg))].join("+")}`;
    throw error;
  }
}
