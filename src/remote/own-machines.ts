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
    throw new QmpctlError(
      "refused",
      `${name ?? "the folder of the configs"}: belongs to the user with id ${owner}, and is worked on as that user: ssh://USER@HOST`,
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
  };
}
