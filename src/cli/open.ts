import type { Domain, Facade } from "../domain/facade.ts";

/**
 * The library as the verbs see it. It is loaded when a verb first needs it: a usage mistake needs none of it. `isRoot`: who may work on
 * another user's machine.
 * `elsewhere` opens a domain of another host by its address.
 */
export function openFacade(
  env: Readonly<Record<string, string | undefined>>,
  isRoot = false,
  elsewhere?: (address: string) => Promise<Domain>,
): Facade {
  /** Works on another user's machine as that user: with their lock, and with no more rights than the author of the config has. */
  const asOwner = async (name?: string): Promise<void> => {
    if (!isRoot) return;
    const { ownerOf } = await import("../domain/machine/owner.ts");
    const owner = await ownerOf(name, { env });
    if (owner !== null && owner !== 0) await (await import("./become.ts")).become(owner);
  };
  return {
    async open(name) {
      if (elsewhere !== undefined && name.startsWith("ssh://")) return elsewhere(name);
      await asOwner(name);
      const { Domain: Opened } = await import("../domain/domain.ts");
      return Opened.open(name, { env });
    },
    async define(source, options) {
      await asOwner();
      const { Domain } = await import("../domain/domain.ts");
      return Domain.define(source, { ...options, env });
    },
    async outcome(key, { signal }) {
      const [{ Outcomes }, { domainFolders }] = await Promise.all([import("../remote/outcomes.ts"), import("../domain/machine/place.ts")]);
      return new Outcomes(domainFolders({ env }).state).look(key, signal);
    },
    async list(options) {
      await asOwner();
      const { listDomains } = await import("../domain/views/list.ts");
      return listDomains({ ...options, env });
    },
  };
}
