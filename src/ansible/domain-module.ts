import { Account } from "./account.ts";
import { type Answer, answerOf, failureOf } from "./answer.ts";
import { bring } from "./bring.ts";
import { isDict } from "./options.ts";
import type { Surroundings } from "./surroundings.ts";
import { type Wanted, wantedIn } from "./wanted.ts";

/** The module `domain`: brings a domain where the task wants it. Never rejects: what fails is an answer. */
export async function domainModule(given: unknown, around: Surroundings): Promise<Answer> {
  const account = new Account();
  let wanted: Wanted | undefined;
  try {
    wanted = wantedIn(given);
    await bring(wanted, around, account);
    return await answerOf(wanted, account, around);
  } catch (error) {
    return failureOf(wanted?.name ?? nameIn(given), error, account, around);
  }
}

/** What the task calls it, for an answer about arguments that can't be read. */
function nameIn(given: unknown): string {
  const { name, domain } = isDict(given) ? given : {};
  return String(name ?? domain ?? "");
}
