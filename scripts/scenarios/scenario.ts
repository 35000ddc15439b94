import type { Setting, Stage } from "./stage.ts";

/** One story of a domain. It runs on real QEMU, while recording, and in replay. */
export interface Scenario {
  /** What it shows, in one line. */
  readonly tells: string;
  /** Where the replay is tested: `library` in this process, `program` with the built command line. A scenario may use both. */
  readonly through: "library" | "program";
  readonly setting?: Setting;
  /** Runs it, and throws when something is wrong. */
  readonly play: (stage: Stage) => Promise<void>;
}

/** Scenarios by name, which is also the folder of the recording. */
export type Scenarios = Readonly<Record<string, Scenario>>;
