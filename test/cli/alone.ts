import type { World } from "../../src/cli/verb.ts";

/** The part of the world that a command line on one host does not need. */
export const ALONE: Pick<World, "host" | "fleet" | "serve"> = {
  host: (name) => Promise.reject(new Error(`${name}: a test of one host asks for another one`)),
  fleet: (hosts) => Promise.reject(new Error(`${hosts}: a test of one host asks for many`)),
  serve: () => Promise.reject(new Error("nobody is there to be answered")),
};
