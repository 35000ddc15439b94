/** What can be set of an iothread, as QEMU calls it, in the order in which it is written. */
export const SETTINGS = ["poll-max-ns", "poll-grow", "poll-shrink", "thread-pool-min", "thread-pool-max"] as const;

/** One of them. */
export type Setting = (typeof SETTINGS)[number];

/** What is written for a setting that is left to QEMU. */
export const DEFAULT = "default";

/** Values of some settings; `default` where it is left to QEMU. */
export type Settings = Readonly<Partial<Record<Setting, number | typeof DEFAULT>>>;

/** Settings as one text, in their shortest form: `poll-max-ns=0,poll-grow=default`. */
export function formatSettings(settings: Settings): string {
  return SETTINGS.flatMap((name) => (settings[name] === undefined ? [] : [`${name}=${settings[name]}`])).join(",");
}

/** Reads such a text; a string says what is wrong in it. */
export function parseSettings(text: string): Settings | string {
  const settings: Partial<Record<Setting, number | typeof DEFAULT>> = {};
  for (const item of text.split(",")) {
    const [, name, value = ""] = /^([^=]*)=(.*)$/.exec(item) ?? [];
    const setting = SETTINGS.find((each) => each === name);
    if (setting === undefined) return `${JSON.stringify(item.slice(0, 40))} is none of ${SETTINGS.join(", ")}`;
    if (settings[setting] !== undefined) return `${setting} is there twice`;
    const number = value === DEFAULT ? value : numberOf(value);
    if (number === undefined) return `${setting} ${JSON.stringify(value.slice(0, 40))} is neither a whole number from 0 nor ${DEFAULT}`;
    settings[setting] = number;
  }
  return settings;
}

function numberOf(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}
