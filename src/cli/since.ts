import { typedMoment } from "../domain/ends/moment.ts";
import { millisecondsOf } from "../domain/model/duration.ts";
import { parseDuration } from "./duration.ts";
import { misuse } from "./options.ts";

const EXPECTED = 'how long ago, such as 30min, 8h or 7d, or when: 07:00, today, yesterday, 2026-12-01 or "2026-12-01 07:00"';
const DAY = 86_400_000;

/**
 * How many milliseconds ago a time is: `2h`, `7d`, `5 minutes ago`, `07:00` (the last one), `today`, `yesterday`, `2026-12-01 07:00`. A
 * bare
 * number counts seconds. The clock and the zone are those of this host, in which a history is shown too.
 * @throws UsageError for anything else, and for what is to come
 */
export function parseSince(text: string, now: number = Date.now()): number {
  if (/^\d+(\.\d+)?$/.test(text)) return parseDuration(text);
  const age = millisecondsOf(text.replace(/ ago$/, ""));
  if (age > 0) return Math.round(age);
  const wrong = (why: string): Error => misuse(`--since ${JSON.stringify(text)}: ${why}give ${EXPECTED}`, text, EXPECTED);
  const midnight = midnightOf(text, now);
  // A time of day is the first one after this moment yesterday: the last one before now.
  const moment = midnight ?? typedMoment(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text} 00:00` : text, wrong)(now - DAY);
  if (moment < now) return now - moment;
  throw wrong("it is to come; ");
}

function midnightOf(text: string, now: number): number | undefined {
  const days = ["today", "yesterday"].indexOf(text);
  if (days < 0) return undefined;
  const today = new Date(now);
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() - days).getTime();
}
