import { Readable } from "node:stream";
import type { Io, Sink, Source } from "../verb.ts";

/** What a verb writes, kept; drawn as for the terminal that it will go to. */
export class Paper implements Sink {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor({ isTTY, columns }: Pick<Sink, "isTTY" | "columns">) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }
}

/** An Io whose answer and words are kept. Nobody looks on at its progress. */
export function captured(io: Io, stdin: () => Source): { readonly io: Io; readonly answer: Paper; readonly words: Paper } {
  const answer = new Paper(io.stdout);
  const words = new Paper({ isTTY: false, columns: undefined });
  const own: Io = {
    stdout: answer,
    stderr: words,
    get stdin() {
      return stdin();
    },
    env: io.env,
    signal: io.signal,
  };
  return { io: own, answer, words };
}

/** More than any verb takes from standard input, in UTF-16 units. */
const LIMIT = 4 * 1024 * 1024;

/** Standard input for many: it can be read once, so what was read is kept for the next. */
export function stdinForMany(io: Io): () => Source {
  let text: Promise<string> | undefined;
  async function* again(): AsyncGenerator<string> {
    yield await (text ??= readAll(io.stdin));
  }
  return () => Readable.from(again(), { objectMode: false });
}

async function readAll(stdin: Source): Promise<string> {
  let text = "";
  for await (const chunk of stdin.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > LIMIT) break;
  }
  return text;
}
