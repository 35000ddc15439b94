import { QmpctlError } from "../../errors.ts";
import type { Facts } from "../facts/facts.ts";
import type { Value } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { formatValue, kindOf, nameOf } from "../resources/registry.ts";
import type { Interrupted } from "./interrupted-error.ts";
import { isMachineThere } from "./journal.ts";
import type { ActionRecord, Journal } from "./record.ts";

/** A start, a restart or a shutdown was interrupted, and has to be resolved first. */
export class InterruptedActionError extends QmpctlError {
  readonly action: ActionRecord["action"];

  constructor(domain: string, record: ActionRecord) {
    super(
      "refused",
      `${domain}: ${describeAction(record)}; resolve it first: qmpctl recover ${shellWord(domain)} --finish, or --undo, or --forget`,
    );
    this.action = record.action;
  }
}

const LEFT: Readonly<Record<ActionRecord["action"], string>> = {
  start: "its QEMU is there, paused, and may lack its pins and its memory target",
  restart: "it may have been asked to shut down, or have ended and not been started again",
  shutdown: "the guest may have been asked to shut down, and may still do it",
};

/** In one line: which action was interrupted, who made it, and what it may have left. */
export function describeAction({ action, writer, since }: ActionRecord): string {
  return `a ${action} was interrupted: process ${writer} died during it (since ${since}): ${LEFT[action]}`;
}

/** How an interrupted change stands, by its record and by what is read now. */
export async function interruptedFrom(name: string, journal: Journal, facts: Facts, text: string | null): Promise<Interrupted> {
  return {
    domain: name,
    writer: journal.writer,
    since: journal.since,
    scope: journal.scope,
    sameMachine: (await isMachineThere(journal)) ?? facts.live !== null,
    committed: journal.config !== null && text === journal.config.after,
    changes: journal.changes.map(({ change, config, live }) => ({
      change,
      wanted: kindOf(change).wanted(change),
      before: { config, live },
      now: {
        config: facts.config === null ? null : kindOf(change).inConfig(change, facts.config),
        live: facts.live === null ? null : kindOf(change).inLive(change, facts.live),
      },
    })),
  };
}

/** In one line: which change was interrupted, who made it, and how both halves stand. */
export function describe({ writer, since, changes }: Interrupted): string {
  const what = changes.map(({ change, wanted, before, now }) => {
    const show = (value: Value): string => formatValue(change.resource, value);
    return `${nameOf(change)} to ${show(wanted)} (live ${show(before.live)} before, ${show(now.live)} now; config ${show(before.config)} before, ${show(now.config)} now)`;
  });
  return `a change was interrupted: process ${writer} died during it (since ${since}): ${what.join(", ")}`;
}
