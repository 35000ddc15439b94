import type { Random } from "./random.ts";
import { brokenText, oddRequest, plainRequest } from "./utterances.ts";

/** One step of the clients. Each step is independent, so any part of a conversation is one too, and a failed one can be shrunk. */
export type Step =
  /**
   * The monitor's client (a new one, if there is none) sends this, in these pieces, and waits until all of it is answered.
   * One character is one byte.
   */
  | { readonly kind: "say"; readonly monitor: number; readonly pieces: readonly string[]; readonly resync: boolean }
  /** Another client connects to the same monitor and sends this. It is served when the first one leaves, at the next `leave`. */
  | { readonly kind: "queue"; readonly monitor: number; readonly pieces: readonly string[]; readonly resync: boolean }
  /** The client leaves. `half`: it ends only its own half, and reads to the end. */
  | { readonly kind: "leave"; readonly monitor: number; readonly half: boolean }
  /** QEMU is told to quit, and all clients read to the end. */
  | { readonly kind: "quit"; readonly monitor: number };

/** A conversation that depends only on the seed. */
export function conversationFrom(random: Random): readonly Step[] {
  const steps = Array.from({ length: 2 + random.below(14) }, () => step(random));
  return random.below(3) === 0 ? [...steps, { kind: "quit", monitor: random.below(2) }] : steps;
}

function step(random: Random): Step {
  const monitor = random.below(4) === 0 ? 1 : 0;
  const kind = random.below(12);
  if (kind === 0) return { kind: "leave", monitor, half: random.below(3) === 0 };
  return { kind: kind === 1 ? "queue" : "say", monitor, ...speech(random) };
}

/** Up to 12 requests at once. Some are wrong. */
function speech(random: Random): { readonly pieces: readonly string[]; readonly resync: boolean } {
  const hello = random.below(3) > 0 ? [random.pick(HELLOS)] : [];
  const parts = Array.from({ length: 1 + random.below(random.below(3) === 0 ? 12 : 3) }, () => utterance(random));
  const text = [...hello, ...parts].join(random.pick(["\n", "\r\n", "", " "]));
  return { pieces: split(random, text), resync: true };
}

const HELLOS: readonly string[] = [
  '{"execute":"qmp_capabilities"}',
  '{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":"hello"}',
  '{"execute":"qmp_capabilities","arguments":{"enable":[]}}',
  '{"execute":"qmp_capabilities","arguments":{"enable":["nosuch"]},"id":1}',
  '{"execute":"qmp_capabilities","arguments":{"enable":"oob"}}',
  '{"execute":"qmp_capabilities","arguments":{"enable":["oob","oob"]}}',
  '{"execute":"qmp_capabilities","arguments":{"enable":[1]}}',
  '{"execute":"qmp_capabilities","arguments":{"x":1}}',
];

function utterance(random: Random): string {
  const kind = random.below(10);
  if (kind < 5) return plainRequest(random);
  return kind < 8 ? oddRequest(random) : brokenText(random);
}

/** Mostly in one piece, else cut anywhere. */
function split(random: Random, text: string): readonly string[] {
  if (random.below(3) > 0) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = 1 + random.below(random.below(2) === 0 ? 4 : 80);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

/** A short conversation that still fails, found by leaving out steps and pieces. It calls `fails` at most `tries` times. */
export async function shrink(
  steps: readonly Step[],
  fails: (steps: readonly Step[]) => Promise<boolean>,
  tries = 60,
): Promise<readonly Step[]> {
  let best = steps;
  let left = tries;
  for (let length = Math.ceil(best.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < best.length && left > 0;) {
      const shorter = [...best.slice(0, at), ...best.slice(at + length)];
      left -= 1;
      if (shorter.length > 0 && (await fails(shorter))) best = shorter;
      else at += length;
    }
  }
  return best;
}

/** A conversation as text for the failure of a test, one step a line. */
export function tellSteps(steps: readonly Step[]): string {
  return steps
    .map((it) => JSON.stringify("pieces" in it ? { ...it, pieces: undefined, text: it.pieces.join(""), cuts: it.pieces.length - 1 } : it))
    .join("\n");
}
