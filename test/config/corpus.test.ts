import { expect, test } from "vitest";
import { QmpctlError, UsageError } from "../../src/errors.ts";
import { asksBoard, define, SAMPLES } from "./corpus.ts";

const defined = SAMPLES.filter(({ json }) => json !== null);
const refused = SAMPLES.filter(({ json }) => json === null);

test.each(defined)("$name becomes the config that it is", (sample) => {
  const { text, notes } = define(sample);
  expect(text).toBe(sample.json);
  expect(notes.map((note) => `${note}\n`).join("")).toBe(sample.text);
});

test.each(defined)("$name asks its emulator for what it leaves to the board, and for nothing else", (sample) => {
  expect(asksBoard(sample)).toBe(sample.board !== undefined);
});

test.each(refused)("$name is refused, with the way out", (sample) => {
  try {
    define(sample);
  } catch (error) {
    if (!(error instanceof QmpctlError)) throw error;
    expect(`${error.message}\n${error instanceof UsageError ? `expected ${error.expected}\n` : ""}`).toBe(sample.text);
    return;
  }
  expect.fail("it was taken");
});

test("the corpus has both, of many kinds", () => {
  expect([defined.length >= 50, refused.length >= 10, SAMPLES.length >= 60]).toEqual([true, true, true]);
});
