import { UsageError } from "../../errors.ts";
import { ShellLexer } from "../shell-lexer.ts";

/** What a converter printed: a command as one types it into a shell, with variables in front of it. */
export interface Converted {
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly words: readonly string[];
}

/**
 * Reads the output of `virsh domxml-to-native qemu-argv` or `qm showcmd`: one command, quoted for a shell. It is read, and never run.
 * `file`: where it comes from, for messages.
 *
 * @throws UsageError when it has no command, more than one, or something that only a shell could know
 */
export function readConverted(text: string, file: string): Converted {
  const lexer = new ShellLexer(text, undefined);
  const environment: (readonly [string, string])[] = [];
  const words: string[] = [];
  skipLines(lexer);
  for (let name = lexer.assignment()?.name; name !== undefined; name = lexer.assignment()?.name) {
    environment.push([name, lexer.word(true)?.fields[0] ?? ""]);
    lexer.skipBlanks();
  }
  for (let word = lexer.word(); word !== undefined; word = lexer.word()) {
    words.push(...word.fields);
    lexer.skipBlanks();
  }
  const { line } = lexer;
  skipLines(lexer);
  if (words.length === 0 || !lexer.isAtEnd) {
    const why = words.length === 0 ? "it has no command" : `line ${line} is not the end of its one command`;
    throw new UsageError(`${file}: ${why}`, { value: text, expected: "what virsh domxml-to-native qemu-argv or qm showcmd prints" });
  }
  return { environment, words };
}

function skipLines(lexer: ShellLexer): void {
  do lexer.skipBlanks();
  while (lexer.take(/\n/) !== undefined);
}
