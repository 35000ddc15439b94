import { UsageError } from "../../errors.ts";
import { millisecondsOf } from "../model/duration.ts";

/** When a change ends, as it was asked for: after a time, or at a moment. */
export interface EndWish {
  /** Milliseconds, or a time as systemd writes it: `90s`, `30min`, `8h`, `1d 12h`. */
  readonly for?: string | number | undefined;
  /**
   * A time of day, `07:00`, which is the next such moment; or a date and a time, `2026-12-01 07:00`, also with a zone as ISO 8601 has it.
   */
  readonly until?: string | undefined;
}

/** The moment of an end by the clock of the moment that is given; both in milliseconds since 1970. */
export type Moment = (now: number) => number;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The shortest and the longest time: a timer has to be armed before it is over, and a machine that runs for years has no end in mind. */
const SHORTEST = 10 * SECOND;
const LONGEST = 366 * DAY;

const FOR = "a time from 10s to 366d with its unit, such as 90s, 30min, 8h or 1d";
const UNTIL = 'a moment to come within 366 days, such as 07:00, "2026-12-01 07:00" or 2026-12-01T07:00+01:00';

/** Whether a change is to end by itself. */
export function hasEnd(wish: EndWish): boolean {
  return wish.for !== undefined || wish.until !== undefined;
}

/** Reads when a change is to end. @throws UsageError when it can't be read, is too short or too long, or both are given */
export function momentOf(wish: EndWish, now: number): Moment {
  if (wish.for !== undefined && wish.until !== undefined)
    throw new UsageError("for and until: give only one", { value: wish.until, expected: "one of them" });
  if (wish.for !== undefined) {
    const time = timeOf(wish.for);
    return (from) => from + time;
  }
  const moment = untilOf(wish.until ?? "");
  if (moment(now) <= now) throw wrong("until", wish.until, `it is over; give ${UNTIL}`, UNTIL);
  if (moment(now) > now + LONGEST) throw wrong("until", wish.until, `it is too far away; give ${UNTIL}`, UNTIL);
  return moment;
}

/** The same with a moment instead of a time of day. @throws as `momentOf` does */
export function fixed<Wish extends EndWish>(wish: Wish, now: number): Wish {
  const moment = momentOf(wish, now);
  return wish.until === undefined ? wish : { ...wish, until: new Date(moment(now)).toISOString() };
}

/** A bare number in a text is none: systemd counts seconds, and `at` minutes. */
function timeOf(wanted: string | number): number {
  const time = typeof wanted === "number" ? wanted : millisecondsOf(wanted.trim());
  if (time >= SHORTEST && time <= LONGEST) return Math.round(time);
  throw wrong("for", wanted, `give ${FOR}`, FOR);
}

function wrong(option: string, value: unknown, why: string, expected: string): UsageError {
  return new UsageError(`${option} ${JSON.stringify(value)}: ${why}`, { value, expected });
}

const MOMENT = /^(?:(\d{4})-(\d\d)-(\d\d)(?:T|\s+))?(\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$/i;

function untilOf(text: string): Moment {
  return typedMoment(text, (why) => wrong("until", text, `${why}give ${UNTIL}`, UNTIL));
}

/** The moment that a text names: a time of day is the next such moment. @throws what `wrong` makes of the reason why it can't be read */
export function typedMoment(text: string, wrong: (why: string) => Error): Moment {
  const [found, year, month, day, ...rest] = MOMENT.exec(text.trim()) ?? [];
  const [hour, minute, second] = rest.slice(0, 3).map((each) => Number(each ?? 0)) as [number, number, number];
  const zone = rest[3];
  if (found === undefined || hour > 23 || minute > 59 || second > 59 || !isZone(zone)) throw wrong("");
  const clock = [hour, minute, second] as const;
  if (year === undefined) return (now) => nextOf(now, clock, zone);
  const date = [Number(year), Number(month), Number(day)] as const;
  // 2026-02-30 would be the 2nd of March.
  const isDay = new Date(Date.UTC(date[0], date[1] - 1, date[2])).getUTCDate() === date[2] && date[1] >= 1 && date[1] <= 12;
  if (!isDay) throw wrong("there is no such day; ");
  const moment = at(date, clock, zone);
  return () => moment;
}

type Date3 = readonly [year: number, month: number, day: number];
type Clock = readonly [hour: number, minute: number, second: number];

/** A moment of the host's own time zone, or of one that is given. In an hour that summer time leaves out, it is as much later. */
function at([year, month, day]: Date3, [hour, minute, second]: Clock, zone: string | undefined): number {
  if (zone === undefined) return new Date(year, month - 1, day, hour, minute, second).getTime();
  return Date.UTC(year, month - 1, day, hour, minute, second) - offsetOf(zone);
}

/** The islands of the Pacific have up to 14 hours, and 12 to the west. Anything else is a slip of the pen, and would end days away. */
function isZone(zone: string | undefined): boolean {
  const minutes = Number(/:?(\d\d)$/.exec(zone ?? "")?.[1] ?? 0);
  const hours = offsetOf(zone ?? "") / HOUR;
  return minutes <= 59 && hours >= -12 && hours <= 14;
}

function offsetOf(zone: string): number {
  const [found, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  return found === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * HOUR + Number(minutes) * MINUTE);
}

/** The next moment of that time of day. In the night in which summer time ends there are two of some, and the second one counts too. */
function nextOf(now: number, clock: Clock, zone: string | undefined): number {
  const today = zone === undefined ? new Date(now) : new Date(now + offsetOf(zone));
  const [year, month, day] =
    zone === undefined
      ? [today.getFullYear(), today.getMonth() + 1, today.getDate()]
      : [today.getUTCFullYear(), today.getUTCMonth() + 1, today.getUTCDate()];
  for (const later of [0, 1]) {
    const first = at([year, month, day + later], clock, zone);
    const again = zone === undefined ? first + backwards(first) : first;
    for (const moment of [first, again]) if (moment > now) return moment;
  }
  return at([year, month, day + 2], clock, zone);
}

/** By how much the clock is set back in the hours after a moment, if the moment comes once more by that; else 0. */
function backwards(moment: number): number {
  const offset = (time: number): number => new Date(time).getTimezoneOffset() * MINUTE;
  const back = offset(moment + 3 * HOUR) - offset(moment);
  return back > 0 && offset(moment + back) === offset(moment) + back ? back : 0;
}
