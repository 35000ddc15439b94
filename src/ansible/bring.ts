import { ConfigError } from "../config/config-error.ts";
import { Domain } from "../domain/domain.ts";
import type { RecoveryReport } from "../domain/lifecycle/recover.ts";
import type { DomainInfo } from "../domain/views/inspect.ts";
import { isErrorCode } from "../errors.ts";
import type { Account, Done } from "./account.ts";
import { checkOwner } from "./owner.ts";
import { doStage } from "./stage.ts";
import { stagesFor } from "./stages.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Wanted } from "./wanted.ts";

/**
 * Brings a domain where it is wanted, one thing after the other, and writes each into the account. What is so already is not done.
 * With a check nothing is touched, and the account has what would be done.
 *
 * @throws what the library throws; the account then has what was done before that
 */
export async function bring(wanted: Wanted, around: Surroundings, account: Account): Promise<void> {
  const { name, source } = wanted;
  const { env, signal, check } = around;
  await checkOwner(name, around);
  let domain = await openIfThere(name, env);
  if (domain === null && wanted.state === "absent") return;
  if (source !== null) {
    const { define } = await import("./definition.ts");
    const defined = await define(wanted, source, domain !== null, around);
    if (defined !== null) account.add(defined);
    if (defined !== null && check && domain === null) return afterDefinition(wanted, account);
  }
  domain ??= await Domain.open(name, { env });
  let before = await domain.info({ signal });
  if (before.interrupted !== undefined && wanted.recover !== null) {
    account.add(await recover(domain, wanted, around));
    if (!check) before = await domain.info({ signal });
  }
  account.info = before;
  for (const stage of stagesFor(wanted, before)) {
    signal.throwIfAborted();
    const done = await doStage(stage, { domain, before, wanted, around });
    account.add(done);
    if (done.pending === true && !wanted.acceptsPending) break;
  }
  if (account.changed && !check) account.info = await afterwards(domain, wanted, around);
}

/** The domain; null if there is none of that name. */
async function openIfThere(name: string, env: Surroundings["env"]): Promise<Domain | null> {
  try {
    return await Domain.open(name, { env });
  } catch (error) {
    if (error instanceof ConfigError && error.problem === "missing") return null;
    throw error;
  }
}

/** A check, of a domain that would be defined: what the config takes is in the definition already. */
function afterDefinition(wanted: Wanted, account: Account): void {
  const words: Readonly<Record<string, string>> = { running: "started", restarted: "started", paused: "started, and paused" };
  const start = words[wanted.state];
  if (start !== undefined) account.add({ action: "start", words: start, changed: true });
}

async function recover(domain: Domain, { recover: how, effort }: Wanted, around: Surroundings): Promise<Done> {
  const { check: dryRun, signal } = around;
  if (!dryRun) around.begins();
  const report: RecoveryReport = await domain.recover(how ?? "finish", { ...effort, dryRun, signal });
  return { action: "recover", words: `what was interrupted was resolved: ${report.how}`, changed: true, report };
}

/** How it is now. A task that has done its work does not fail because of a last look. */
async function afterwards(domain: Domain, { state }: Wanted, { signal }: Surroundings): Promise<DomainInfo | null> {
  if (state === "absent") return null;
  try {
    return await domain.info({ signal });
  } catch (error) {
    if (isErrorCode(error, "config", "refused", "host")) return null;
    throw error;
  }
}
