/** What terminals send for keys that have no character. Source: xterm's control sequences, and the modes of the Linux console. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ "\u001b[A": "up", "\u001bOA": "up", "\u001b[B": "down", "\u001bOB": "down" },
  ...{ "\u001b[C": "right", "\u001bOC": "right", "\u001b[D": "left", "\u001bOD": "left" },
  ...{ "\u001b[5~": "pageup", "\u001b[6~": "pagedown" },
  ...{ "\u001b[H": "home", "\u001bOH": "home", "\u001b[1~": "home", "\u001b[7~": "home" },
  ...{ "\u001b[F": "end", "\u001bOF": "end", "\u001b[4~": "end", "\u001b[8~": "end" },
  ...{ "\r": "enter", "\n": "enter", "\u007f": "backspace", "\b": "backspace", "\u001b": "escape" },
  ...{ "\u0003": "^C", "\u0004": "^D", "\u000c": "^L", "\u0015": "^U", "\u001a": "^Z", "\u0006": "pagedown", "\u0002": "pageup" },
};

/** One key: a sequence of a terminal, or a character. */
const KEY = /\u001b(?:\[[\d;]*[ -/]*[@-~]|O[@-~])|[^]/gu;
/** The beginning of a sequence whose end has not come yet. */
const BEGUN = /\u001b(?:\[[\d;]*|O)?$/;

/** The keys in what a terminal sent, by name or as a character; and what may be the beginning of one more. */
export function keysIn(text: string): { readonly keys: readonly string[]; readonly begun: string } {
  const begun = BEGUN.exec(text)?.[0] ?? "";
  const whole = text.slice(0, text.length - begun.length);
  const keys = (whole.match(KEY) ?? []).flatMap((each) => named(each));
  return { keys, begun };
}

/** The key that a beginning stands for, if nothing follows: Escape, most of all. */
export function keyOfRest(begun: string): readonly string[] {
  return begun === "" ? [] : ["escape", ...keysIn(begun.slice(1)).keys];
}

function named(sequence: string): readonly string[] {
  const name = NAMES[sequence];
  if (name !== undefined) return [name];
  // Other sequences, and other control characters, are no keys here.
  return /^[\p{Cc}\p{Cs}]/u.test(sequence) ? [] : [sequence];
}
