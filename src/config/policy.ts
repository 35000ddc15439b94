/** The scheduling policies that a thread can be given: those of sched(7) that have no limits of time of their own. */
const PLAIN: ReadonlySet<string> = new Set(["other", "batch", "idle"]);

/** What a policy has to be like, for the message. */
export const POLICY_RULE = "other, batch, idle, or fifo:N or rr:N with a priority N from 1 to 99";

/** What a policy looks like, for a JSON Schema. */
export const POLICY_PATTERN = "^(other|batch|idle)(:00?)?$|^(fifo|rr):(0?[1-9]|[1-9][0-9])$";

/** A policy in its shortest form, as `batch` or `fifo:1`; undefined for a text that is none. */
export function policyOf(text: string): string | undefined {
  const [, name = "", priority] = /^([a-z]+)(?::(\d{1,2}))?$/.exec(text) ?? [];
  if (PLAIN.has(name)) return priority === undefined || Number(priority) === 0 ? name : undefined;
  return isRealtime(name) && priority !== undefined && Number(priority) > 0 ? `${name}:${Number(priority)}` : undefined;
}

/** Whether a policy, or its name, is one of real time: its threads run before all others. */
export function isRealtime(policy: string): boolean {
  return /^(fifo|rr)(:|$)/.test(policy);
}

/** The priority in a policy; 0 for one that has none. */
export function priorityOf(policy: string): number {
  return Number(policy.split(":")[1] ?? 0);
}
