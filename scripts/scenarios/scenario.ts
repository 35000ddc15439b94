import type { Setting, Stage } from "./stage.ts";

/** One thing that a domain goes through, told once, and played on real QEMU, under record and in replay. */
export interface Scenario {
  /** What it shows, in a line. */
  readonly tells: string;
  /**
   * `library`: inside this process; `program`: by the built command line. Both may be used by either; it says where the replay is tested.
   */
  readonly through: "library" | "program";
  readonly setting?: Setting;
  /** Does it, and throws where something is not as it has to be. */
  readonly play: (stage: Stage) => Promise<void>;
}

/** Scenarios by name: the name of the folder that the recording is in. */
export type Scenarios = Readonly<Record<string, Scenario>>;
