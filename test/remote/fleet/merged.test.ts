import { expect, test } from "vitest";
import { merged } from "../../../src/remote/fleet/merged.ts";

async function* counted(name: string, count: number, taken: string[] = [], end?: Error): AsyncGenerator<string> {
  for (let at = 0; at < count; at++) {
    taken.push(`${name}${at}`);
    yield `${name}${at}`;
  }
  if (end !== undefined) throw end;
}

test("all that comes, until each source has ended; one that fails is told, and the others go on", async () => {
  const ends: unknown[] = [];
  const all: string[] = [];
  const sources = [counted("a", 3), counted("b", 1, [], new Error("lost")), counted("c", 0)];
  for await (const each of merged(sources, { onEnd: (at, error) => ends.push([at, error?.message]) })) all.push(each);
  expect(all.toSorted()).toEqual(["a0", "a1", "a2", "b0"]);
  expect(ends).toHaveLength(3);
  expect(ends).toContainEqual([1, "lost"]);
  expect(ends).toContainEqual([0, undefined]);
});

test("of each source one piece is taken ahead: who reads slowly is waited for, and none is held up by another", async () => {
  const taken: string[] = [];
  const all = merged([counted("a", 1000, taken), counted("b", 1000, taken)], { onEnd: () => {} });
  const first = [await all.next(), await all.next()].map(({ value }) => value as string);
  await new Promise((resolve) => setImmediate(resolve));
  expect(first.toSorted()).toEqual(["a0", "b0"]);
  expect(taken.length).toBeLessThanOrEqual(4);
  await all.return();
});

test("a signal ends it, and so does the reader; sources are let go", async () => {
  let ended = 0;
  async function* endless(): AsyncGenerator<number> {
    try {
      for (let at = 0; ; at++) yield at;
    } finally {
      ended++;
    }
  }
  const stop = new AbortController();
  let seen = 0;
  for await (const _ of merged([endless(), endless()], { signal: stop.signal, onEnd: () => {} })) if (++seen === 5) stop.abort();
  await new Promise((resolve) => setImmediate(resolve));
  expect([seen, ended]).toEqual([5, 2]);
  for await (const _ of merged([endless()], { onEnd: () => {} })) break;
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(3);
});

test("no sources at all are at their end", async () => {
  expect(await merged([], { onEnd: () => {} }).next()).toEqual({ done: true, value: undefined });
});
