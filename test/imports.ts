/** The import lines of TypeScript, as text. */

/** One import of a file: from where, and which names; none are told of what is loaded when it is needed. */
export interface Import {
  readonly from: string;
  readonly names: readonly string[];
}

/** What a file imports or hands on, types included, now or when it is needed. */
export function importsOf(text: string): readonly Import[] {
  const statements = /^(?:import\s*|(?:import|export)\s+(?:type\s+)?([\w$*{][\w$\s,*{}]*?)\s+from\s*)["']([^"']+)["']/gm;
  const dynamic = /\bimport\(\s*["'`]([^"'`]+)["'`]/g;
  return [
    ...[...text.matchAll(statements)].map(([, names = "", from = ""]) => ({ from, names: listed(names) })),
    ...[...text.matchAll(dynamic)].map(([, from = ""]) => ({ from, names: [] })),
  ];
}

function listed(names: string): readonly string[] {
  if (names.startsWith("*")) return [names];
  const inBraces = /\{([^}]*)\}/.exec(names)?.[1] ?? "";
  return inBraces
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}

/** The text without its comments; strings stay. */
export function withoutComments(text: string): string {
  const commentOrString = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return text.replace(commentOrString, (found) => (found.startsWith("/") ? "" : found));
}
