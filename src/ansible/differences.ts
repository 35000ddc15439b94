import { showBoth } from "../cli/report.ts";
import type { Report } from "../domain/change/change-report.ts";
import type { Leg } from "../domain/model/change.ts";
import { nameOf } from "../domain/resources/registry.ts";
import type { Difference } from "./account.ts";

/** The differences that a change makes, or would make: of the values, and of the config's text. */
export function differencesOf(report: Report): readonly Difference[] {
  const rows = report.changes.flatMap(({ change, static: config, dynamic }) =>
    (
      [
        ["config", config],
        ["live", dynamic],
      ] as const
    )
      .filter(([, half]) => half.outcome !== "skipped" || isWanted(half))
      .map(([which, half]) => {
        // Of a dry run, and of what the guest still does, what is wanted.
        const then = report.outcome === "planned" ? (half.wanted ?? half.before) : (half.actual ?? half.wanted);
        const [before, after] = showBoth(change.resource, [half.before, then]);
        return { before: `${nameOf(change)} (${which}): ${before}\n`, after: `${nameOf(change)} (${which}): ${after}\n` };
      }),
  );
  const changed = rows.filter(({ before, after }) => before !== after);
  const values =
    changed.length === 0
      ? []
      : [
          difference(
            `${report.domain}: allocation`,
            changed.map(({ before }) => before).join(""),
            changed.map(({ after }) => after).join(""),
          ),
        ];
  const { config } = report;
  return config === undefined || config.before === config.after
    ? values
    : [...values, difference(config.path, config.before, config.after)];
}

/** Two texts under one header. */
export function difference(header: string, before: string, after: string): Difference {
  return { before, after, before_header: header, after_header: header };
}

function isWanted({ before, wanted }: Leg): boolean {
  return wanted !== null && wanted !== before;
}
