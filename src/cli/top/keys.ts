/** How the sequences of keys begin. */
const ESCAPE = String.fromCharCode(27);

/** What terminals send for keys that have no character, after ESCAPE. Source: xterm's control sequences, and the Linux console's. */
const SEQUENCES: Readonly<Record<string, string>> = {
  ...{ "[A": "up", OA: "up", "[B": "down", OB: "down", "[C": "right", OC: "right", "[D": "left", OD: "left" },
  ...{ "[5~": "pageup", "[6~": "pagedown" },
  ...{ "[H": "home", OH: "home", "[1~": "home", "[7~": "home", "[F": "end", OF: "end", "[4~": "end", "[8~": "end" },
};

/** The control characters that are keys. */
const CONTROLS: Readonly<Record<string, string>> = {
  ...{ "\r": "enter", "\n": "enter", "\u007f": "backspace", "\b": "backspace", [ESCAPE]: "escape" },
  ...{ "\u0003": "^C", "\u0004": "^D", "\u000c": "^L", "\u0015": "^U", "\u001a": "^Z", "\u0006": "pagedown", "\u0002": "pageup" },
};

/** One key: a sequence of a terminal, or a character. */
const KEY = new RegExp(`${ESCAPE}(?:\\[[\\d;]*[ -/]*[@-~]|O[@-~])|[^]`, "gu");
/** The beginning of a sequence whose end has not come yet. */
const BEGUN = new RegExp(`${ESCAPE}(?:\\[[\\d;]*|O)?$`);

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
  const name = CONTROLS[sequence] ?? (sequence.startsWith(ESCAPE) ? SEQUENCES[sequence.slice(1)] : undefined);
  if (name !== undefined) return [name];
  // Other sequences, and other control characters, are no keys here.
  return /^[\p{Cc}\p{Cs}]/u.test(sequence) ? [] : [sequence];
}
