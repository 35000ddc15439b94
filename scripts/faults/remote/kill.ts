import type { FarProcess } from "./machine.ts";

/** Signals processes; one that is gone by now is as wished. */
export function killUnheard(processes: readonly FarProcess[], signal: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
