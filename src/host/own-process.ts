import { pid } from "node:process";
import type { ProcessIdentity } from "./signal.ts";
import { startTime } from "./threads.ts";

/** This process of ours. */
export async function identifySelf(): Promise<ProcessIdentity> {
  return { pid, started: (await startTime(pid)) ?? 0 };
}
