import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";

/**
 * Shares of the CPUs. QEMU takes no part in them, and whether it has a control group of its own depends on the host: so only the config's
 * half.
 */
export const cpu: Scenarios = {
  setcpu: {
    tells: "a quota and a weight are written for the next start of a running machine, shown, and taken out again",
    through: "library",
    play: async ({ domain, config }) => {
      await domain.start({ paused: true });
      const set = (changes: readonly Change[], scope: Scope) => domain.change(changes, { scope });
      const quota = (text: string) => ({ resource: "cpu-quota", quota: text }) as const;
      const weight = (number: number) => ({ resource: "cpu-weight", weight: number }) as const;
      has(await set([quota("100.0%"), weight(200)], "static"), { outcome: "applied", notes: [/next start/, /125% or more/] });
      has(await config(), { cpu: { quota: "100%", weight: 200 } });
      has(
        (await domain.diff()).filter(({ resource }) => resource.startsWith("cpu-")),
        [{ config: "100%" }, { config: 200 }],
      );
      has(await set([quota("100%")], "static"), { outcome: "unchanged" });
      has(await failure(set([quota("100")], "static"), "usage"), { message: /two meanings/ });
      has(await domain.apply({ cpu: { quota: null } }, { scope: "static" }), { outcome: "applied" });
      has(await config(), { cpu: { weight: 200 } });
    },
  },
};
