import type { Facade } from "../domain/facade.ts";
import { ownerOf } from "../domain/machine/owner.ts";
import { QmpctlError } from "../errors.ts";

/**
 * The domains of this host, as far as they belong to the user who asks. Root works on another user's machine as that user, with their lock
 * and their rights, and one process that answers many calls can't be many users: it says whom to log in as.
 */
export function ownMachines(
  host: Facade,
  { uid, env }: { readonly uid: number; readonly env: Readonly<Record<string, string | undefined>> },
): Facade {
  const check = async (name?: string): Promise<void> => {
    if (uid !== 0) return;
    const owner = await ownerOf(name, { env });
    if (owner === null || owner === 0) return;
    const login = await loginOf(owner);
    const whose = login === undefined ? `the user with id ${owner}` : `the user ${login}`;
    throw new QmpctlError(
      "refused",
      `${name ?? "the folder of the configs"}: belongs to ${whose}, and is worked on as that user: ssh://${login ?? "USER"}@HOST`,
    );
  };
  return {
    async open(name) {
      await check(name);
      return host.open(name);
    },
    async define(source, options) {
      await check();
      return host.define(source, options);
    },
    outcome: (key, options) => host.outcome(key, options),
    async list(options) {
      await check();
      return host.list(options);
    },
    async sample(options) {
      await check();
      return host.sample(options);
    },
    async running(options) {
      await check();
      return host.running(options);
    },
    async adopt(options) {
      await check();
      return host.adopt(options);
    },
    async takeOver(source, options) {
      await check();
      return host.takeOver(source, options);
    },
  };
}

/** By which name a user logs in; undefined for one that no list knows. */
export async function loginOf(uid: number): Promise<string | undefined> {
  const { answerOf } = await import("../host/answer.ts");
  const entry = await answerOf("getent", ["passwd", String(uid)], { timeout: 5000, limit: 64 * 1024 }).catch(() => "");
  return /^([\w.-]+):/.exec(entry)?.[1];
}
