import type { LaunchConfig } from "../config/launch.ts";
import type { Io } from "./verb.ts";

/** The domains that completion offers. What can't be read is not offered: nobody asked for an error at a TAB. */
export interface CompletionDomains {
  /** Whether they are of another host. */
  readonly isElsewhere: boolean;
  /** What a word can go on to. */
  names(typed: string): Promise<readonly string[]>;
  /** The config of one, to see what it has. */
  config(domain: string): Promise<LaunchConfig | undefined>;
  /** The keys of its changes that end by themselves. */
  ends(domain: string): Promise<readonly string[]>;
  /** The keys of the changes whose outcome is kept here for others. */
  outcomes(): Promise<readonly string[]>;
}

/** The domains of this host. Their machines are not asked: that would take time at every TAB. */
export function ownDomains(env: Io["env"]): CompletionDomains {
  const folders = async (): Promise<import("../config/folders.ts").Folders> => {
    const { domainFolders } = await import("../domain/machine/place.ts");
    return domainFolders({ env });
  };
  return {
    isElsewhere: false,
    async names() {
      const { listNames } = await import("../config/config-folder.ts");
      return listNames(await folders());
    },
    async config(domain) {
      const [{ readConfig }, { locate }] = await Promise.all([import("../config/store.ts"), import("../config/locate.ts")]);
      try {
        return (await readConfig(await locate(domain, await folders()))).config;
      } catch {
        return undefined;
      }
    },
    async ends(domain) {
      const [{ endsOf }, { placeOf }] = await Promise.all([import("../domain/views/ends.ts"), import("../domain/machine/place.ts")]);
      return placeOf(domain, { env })
        .then(endsOf)
        .catch(() => []);
    },
    async outcomes() {
      const [{ Outcomes }, { state }] = await Promise.all([import("../remote/outcomes.ts"), folders()]);
      return new Outcomes(state).keys();
    },
  };
}
