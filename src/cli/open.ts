import type { Facade } from "./facade.ts";

/** As root: goes on as another user, for good. */
export type Become = (uid: number) => Promise<void>;

/** The library as the verbs see it, loaded when a verb first needs it: a usage mistake is told without. `become` is there for root only. */
export function openFacade(env: Readonly<Record<string, string | undefined>>, become?: Become): Facade {
  /** A machine of another user's is worked on as that user: with its lock, and with no more rights than whoever wrote its config has. */
  const asOwner = async (name?: string): Promise<void> => {
    if (become === undefined) return;
    const { ownerOf } = await import("../domain/machine/owner.ts");
    const owner = await ownerOf(name, { env });
    if (owner !== null && owner !== 0) await become(owner);
  };
  return {
    async open(name) {
      await asOwner(name);
      const { Domain } = await import("../domain/domain.ts");
      return Domain.open(name, { env });
    },
    async define(source, options) {
      await asOwner();
      const { Domain } = await import("../domain/domain.ts");
      return Domain.define(source, { ...options, env });
    },
    async list(options) {
      await asOwner();
      const { listDomains } = await import("../domain/views/list.ts");
      return listDomains({ ...options, env });
    },
  };
}
