import { ownerOf } from "../domain/machine/owner.ts";
import { QmpctlError } from "../errors.ts";
import { loginOf } from "../remote/own-machines.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Checks that the user who runs this is whose machine it is. Root works on another user's machine as that user, with their lock and their
 * rights, and Ansible knows how to become one. `name` undefined: of all domains.
 *
 * @throws QmpctlError `refused` with whom to become
 */
export async function checkOwner(name: string | undefined, { uid, env }: Pick<Surroundings, "uid" | "env">): Promise<void> {
  if (uid !== 0) return;
  const owner = await ownerOf(name, { env });
  if (owner === null || owner === 0) return;
  const login = await loginOf(owner);
  const [whose, user] = login === undefined ? [`the user with id ${owner}`, ""] : [`the user ${login}`, `: ${login}`];
  throw new QmpctlError(
    "refused",
    `${name ?? "the folder of the configs"}: belongs to ${whose}, and is worked on as that user: become: true with become_user${user}`,
  );
}
