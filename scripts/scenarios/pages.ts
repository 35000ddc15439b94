import { strictEqual as equal } from "node:assert";
import { alike } from "../pages/alike.ts";
import type { Shown } from "../pages/console.ts";
import { play } from "../pages/play.ts";
import { PAGES, readPage, recordedOf } from "../pages/table.ts";
import type { Scenario, Scenarios } from "./scenario.ts";

/** A session as it is compared. */
export function comparable(session: readonly Shown[]): string {
  return session.map(({ command, said }) => alike(`$ ${command}\n${said}\n`)).join("\n");
}

/** The sessions of pages as scenarios. */
export const pages: Scenarios = Object.fromEntries(
  Object.entries(PAGES).flatMap(([page, { recorded }]): readonly (readonly [string, Scenario])[] => {
    if (recorded === undefined) return [];
    const scenario: Scenario = {
      tells: `the examples of ${page} have the output that it shows`,
      through: "program",
      play: async (stage) => {
        const wanted = recordedOf(page, await readPage(page));
        equal(comparable(await play(stage, wanted, recorded.beginning)), comparable(wanted));
      },
    };
    return [[recorded.scenario, scenario]];
  }),
);
