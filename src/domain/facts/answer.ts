import { CommandError } from "../../qmp/errors.ts";

/**
 * The answer to a question, or null when this QEMU does not know the question or has no answer to it.
 *
 * @throws what the question throws, except CommandError
 */
export async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}
