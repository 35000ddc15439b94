import { UsageError } from "../../errors.ts";

/**
 * What is wrong with the call itself is told once, and not as a trouble of each host. @throws UsageError when every answer is the same one
 */
export function checkCall(answers: readonly { readonly error?: Error }[]): void {
  const error = answers[0]?.error;
  if (error instanceof UsageError && answers.every((each) => each.error instanceof UsageError && each.error.message === error.message))
    throw error;
}
