import { type Options, readOptions } from "./options.ts";

/** What can be told of a domain besides what is always told. */
export type Part = "diff" | "vcpus" | "memory" | "threads" | "disks" | "config" | "outcomes";

/** The options of a task of `domain_info`, read. */
export interface InfoGiven {
  readonly name: readonly string[];
  readonly gather: readonly Part[];
  readonly timeout: number | undefined;
}

const PARTS = ["diff", "vcpus", "memory", "threads", "disks", "config", "outcomes"] as const;

const TABLE = {
  name: {
    type: "list",
    aliases: ["domain", "names"],
    default: ["*"],
    about: [
      "Of which domains: names, and patterns with C(*) and C(?). All unless told.",
      "Also the path of a config on the host, or the address of a monitor there.",
    ],
  },
  gather: {
    type: "list",
    choices: PARTS,
    default: ["diff", "vcpus", "memory"],
    about: [
      "What to tell besides C(info): C(diff) has config, live and guest side by side, and why they differ. C(vcpus), C(threads) and C(disks) have one item each. C(memory) has what guest, balloon and host say.",
      "C(config) is the text of the launch config. C(outcomes) is what became of its last changes, by their keys: also of those whose connection was lost.",
      "An empty list is quickest.",
    ],
  },
  timeout: { type: "time", about: ["How long each machine may take to answer. The default is 2 seconds."] },
} as const satisfies Options;

/** The options of the module `domain_info`. What ansible-doc shows is made of them, too. */
export const INFO_OPTIONS: Options = TABLE;

/** Reads the arguments of a task. @throws UsageError with everything that is wrong */
export function infoGiven(given: unknown): InfoGiven {
  return readOptions(TABLE, given);
}
