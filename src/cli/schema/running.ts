import type { Imported } from "../../domain/lifecycle/import/import-source.ts";
import type { Adoption } from "../../domain/lifecycle/running/adopt.ts";
import type { RunningMonitor, RunningQemu } from "../../domain/lifecycle/running/running-qemu.ts";
import { boolean, like, list, nullable, number, object, optional, type Shape, string, where, words } from "../../shape.ts";

/** What `list --running` answers. */
export const running: Shape<readonly RunningQemu[]> = list(
  like<RunningQemu>({
    ...{ pid: number, uid: number, user: nullable(string), name: nullable(string), uuid: nullable(string) },
    keeper: nullable(words({ qmpctl: true, libvirt: true, proxmox: true, incus: true, container: true })),
    ...{ keptAs: nullable(string), proofs: list(string), isSure: boolean },
    monitors: list(
      like<RunningMonitor>({ address: string, state: words({ free: true, held: true, unseen: true }), holders: list(number) }),
    ),
    can: words({ domain: true, adopt: true, force: true, "another-users": true }),
    advice: string,
    programUnseen: optional(where(boolean, (it) => it) as Shape<true>),
  }),
);

/** What `define --running` answers. */
export const adopted: Shape<readonly Adoption[]> = list(
  like<Adoption>({
    pid: number,
    name: string,
    outcome: words({ adopted: true, planned: true, left: true, refused: true, failed: true }),
    why: optional(string),
    path: optional(string),
    notes: list(string),
  }),
);

/** What `import` answers; its config is the JSON of the file. */
export const imported: Shape<unknown> = object({
  ...({ name: string, path: nullable(string), notes: list(string) } satisfies Record<Exclude<keyof Imported, "config">, unknown>),
  config: object({ name: string }),
});
