import type { Change } from "../domain/resources/registry.ts";
import { ForbiddenError } from "./errors.ts";
import { literal } from "./literal.ts";

/** What a near end may ask, as `qmpctl serve` was told by the `command=` of a key. */
export interface Allowed {
  readonly readOnly: boolean;
  /** The command line's verbs; null for all that can't run programs of the caller's own. */
  readonly verbs: readonly string[] | null;
  /** Patterns of domains' names, with `*` and `?`; null for all. */
  readonly domains: readonly string[] | null;
}

/** What a call is about. */
export interface Asked {
  /** The command line's verb; null: it is in the changes. */
  readonly verb: string | null;
  readonly writes: boolean;
  readonly domain: string | undefined;
  /** The changes of a call without a verb of its own. */
  readonly wanted?: unknown;
}

/** Verbs with which a caller can have programs of his own run on the host, so they have to be allowed by name. */
export const CODE_VERBS: readonly string[] = [
  "qmp",
  "define",
  "edit",
  "import",
  "start",
  "restart",
  "attach",
  "change-media",
  "apply",
  "recover",
  "autostart",
];

/** Refuses what is not allowed. @throws ForbiddenError, with what is; as a change of no resource does */
export async function checkAllowed(allowed: Allowed | undefined, { verb, writes, domain, wanted }: Asked): Promise<void> {
  if (allowed === undefined) return;
  const { readOnly, verbs, domains } = allowed;
  const asked = verb === null ? await verbsIn(wanted) : [verb];
  if (readOnly && writes) throw new ForbiddenError(`${asked.join(", ")}: this key may only read`);
  for (const each of asked) {
    if (verbs !== null ? verbs.includes(each) : !CODE_VERBS.includes(each)) continue;
    const why = verbs === null ? `it has to be allowed by name: --verbs ${each},…` : `allowed are ${verbs.join(", ")}`;
    throw new ForbiddenError(`${each}: this key does not allow it; ${why}`);
  }
  if (domain !== undefined) checkDomain(domain, domains);
}

/** What is of all QEMUs of the host is for a key that may know of all domains. @throws ForbiddenError, with what is allowed */
export function mayAskOfAll(allowed: Allowed | undefined): void {
  const domains = allowed?.domains ?? null;
  if (domains !== null)
    throw new ForbiddenError(`--running: this key allows ${domains.join(", ")} only, and that is of every QEMU of the host`);
}

/** Those domains of a list that a key may know of. */
export function allowedOf<T extends { readonly name: string }>(allowed: Allowed | undefined, found: readonly T[]): readonly T[] {
  const domains = allowed?.domains ?? null;
  return domains === null ? found : found.filter(({ name }) => domains.some((pattern) => matches(pattern, name)));
}

/** A path or a monitor's address leads past every name, so neither is allowed where only some domains are, or verbs are named. */
function checkDomain(domain: string, domains: readonly string[] | null): void {
  if (/[/:]/.test(domain)) throw new ForbiddenError(`${domain}: this key allows domains by their names only`);
  if (domains === null || domains.some((pattern) => matches(pattern, domain))) return;
  if (domain === "") throw new ForbiddenError(`define: this key allows ${domains.join(", ")}, so --name has to say which it is`);
  throw new ForbiddenError(`${domain}: this key does not allow it; allowed are ${domains.join(", ")}`);
}

/** Whether a name is what a pattern says: `*` for any characters, `?` for one. */
export function matches(pattern: string, name: string): boolean {
  const words = [...pattern].map((each) => (each === "*" ? ".*" : each === "?" ? "." : literal(each)));
  return new RegExp(`^${words.join("")}$`, "su").test(name);
}

/** The command line's verbs for changes: of each resource, its own. */
async function verbsIn(wanted: unknown): Promise<readonly string[]> {
  if (!Array.isArray(wanted)) return [(wanted as { readonly name?: unknown } | null)?.name === "newDimm" ? "plugmem" : "setmem"];
  const { kindOf } = await import("../domain/resources/registry.ts");
  // What no verb can say is said by an allocation file.
  return (wanted as readonly Change[]).map((change) => kindOf(change).command(change, "x")?.split(" ")[0] ?? "apply");
}
