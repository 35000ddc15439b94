import type { Report } from "../../domain/change/change-report.ts";
import type { Domain } from "../../domain/facade.ts";
import type { ChangeOptions } from "../../domain/model/change.ts";
import { leftOf, type WantedInFile } from "../../domain/resources/whole-config.ts";
import { isErrorCode } from "../../errors.ts";

/** Applies what a file asks for; of a whole config, the report says what differs and is left as it is. */
export async function applyFile(domain: Domain, { wanted, config }: WantedInFile, options: ChangeOptions): Promise<Report> {
  if (config === undefined) return await domain.apply(wanted, options);
  const own = await domain.config().catch((error: unknown) => {
    // A machine that is known by its monitor has no config.
    if (isErrorCode(error, "refused")) return null;
    throw error;
  });
  const left = leftOf(config.values, own);
  const report = await domain.apply(wanted, options);
  if (left.length === 0) return report;
  const note = `this differs in the config that was applied, and is left as it is: ${left.join(", ")}`;
  return { ...report, notes: [...report.notes, note] };
}
