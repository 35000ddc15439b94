import type { Facade } from "./facade.ts";

/** The library as the verbs see it, loaded when a verb first needs it: a usage mistake is told without. */
export function openFacade(env: Readonly<Record<string, string | undefined>>): Facade {
  return {
    async open(name) {
      const { Domain } = await import("../domain/domain.ts");
      return Domain.open(name, { env });
    },
    async define(source, options) {
      const { Domain } = await import("../domain/domain.ts");
      return Domain.define(source, { ...options, env });
    },
    async list(options) {
      const { listDomains } = await import("../domain/list.ts");
      return listDomains({ ...options, env });
    },
  };
}
