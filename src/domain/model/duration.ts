const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  ...{ s: SECOND, sec: SECOND, second: SECOND, seconds: SECOND },
  ...{ m: MINUTE, min: MINUTE, minute: MINUTE, minutes: MINUTE },
  ...{ h: HOUR, hr: HOUR, hour: HOUR, hours: HOUR },
  ...{ d: DAY, day: DAY, days: DAY, w: 7 * DAY, week: 7 * DAY, weeks: 7 * DAY },
};

/** Milliseconds of a time with its units, as systemd and people write it: `90s`, `1d 12h`, `1h30min`, `5 minutes`; NaN of anything else. */
export function millisecondsOf(text: string): number {
  const parts = [...text.matchAll(/(?:^|\s*)(\d+(?:\.\d+)?)\s?([a-z]+)/gy)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return NaN;
  return parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (Object.hasOwn(UNITS, unit) ? (UNITS[unit] ?? NaN) : NaN), 0);
}
