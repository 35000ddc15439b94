import type { Domain, Facade } from "../domain/facade.ts";
import { nameProgram } from "../domain/machine/program.ts";
import type { Sampler } from "../domain/views/sampler.ts";

/** A variable that is set for a program that goes on for root as another user; the history of a machine tells that too. */
const FOR_ROOT = "QMPCTL_FOR_ROOT";

/**
 * The library as the verbs see it. It is loaded when a verb first needs it: a usage mistake needs none of it. `isRoot`: who may work on
 * another user's machine.
 * `elsewhere` opens a domain of another host by its address. `program`: what this program is called with, for the history of a machine.
 */
export function openFacade(
  env: Readonly<Record<string, string | undefined>>,
  isRoot = false,
  elsewhere?: (address: string) => Promise<Domain>,
  program?: readonly string[],
): Facade {
  if (program !== undefined) nameProgram(program);
  /**
   * Works on another user's machine as that user: with their lock, and with no more rights than the author of the config has. Whether it is
   * another user's.
   */
  const asOwner = async (name?: string): Promise<boolean> => {
    if (!isRoot) return env[FOR_ROOT] !== undefined;
    const { ownerOf } = await import("../domain/machine/owner.ts");
    const owner = await ownerOf(name, { env });
    if (owner === null || owner === 0) return false;
    await (await import("./become.ts")).become(owner, { [FOR_ROOT]: "1" });
    return true;
  };
  let sampler: Promise<Sampler> | undefined;
  return {
    async open(name) {
      if (elsewhere !== undefined && name.startsWith("ssh://")) return elsewhere(name);
      const isOthers = await asOwner(name);
      const { Domain: Opened, domainAt } = await import("../domain/domain.ts");
      if (!isOthers) return Opened.open(name, { env });
      // It is called as root called it: its name alone, in a command that is advised, would be a machine of root's.
      const [{ LocalEndPoint }, { placeOf }, { mustExist }] = await Promise.all([
        import("../domain/local.ts"),
        import("../domain/machine/place.ts"),
        import("../config/store.ts"),
      ]);
      const place = await placeOf(name, { env });
      if (place.config !== null) await mustExist(place.config);
      return domainAt(new LocalEndPoint({ ...place, name }));
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
    async run(name, options) {
      await asOwner(name);
      const [{ runMachine }, { placeOf }, { mustExist }] = await Promise.all([
        import("../domain/supervise/run.ts"),
        import("../domain/machine/place.ts"),
        import("../config/store.ts"),
      ]);
      const place = await placeOf(name, { env });
      if (place.config !== null) await mustExist(place.config);
      return runMachine(place, options);
    },
    async list(options) {
      await asOwner();
      const { listDomains } = await import("../domain/views/list.ts");
      return listDomains({ ...options, env });
    },
    async sample(options) {
      sampler ??= (async () => {
        await asOwner();
        const { Sampler: Made } = await import("../domain/views/sampler.ts");
        return new Made({ env });
      })();
      return (await sampler).next(options);
    },
    async running() {
      await asOwner();
      return (await import("../domain/lifecycle/running/list-running.ts")).listRunning({ env });
    },
    async adopt(options) {
      await asOwner();
      return (await import("../domain/lifecycle/running/adopt.ts")).adoptRunning({ ...options, env });
    },
    async takeOver(source, options) {
      await asOwner();
      return (await import("../domain/lifecycle/import/import-domain.ts")).importDomain(source, { ...options, env });
    },
  };
}
