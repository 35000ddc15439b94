import type { Facade } from "./facade.ts";

/** The library itself, loaded when a verb first needs it. */
export function openFacade(_env: Readonly<Record<string, string | undefined>>): Facade {
  const notYet = (): never => {
    throw new Error("the domain floor is not there yet");
  };
  return { open: async () => notYet(), define: async () => notYet(), list: async () => notYet() };
}
