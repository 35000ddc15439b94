import { closeSync, writeSync } from "node:fs";
import { chdir, env } from "node:process";

/** Set for the program that runs in the background, by the script that started it there and waits for its answer. */
export const DAEMON = "QMPCTL_STAND_IN";

/** The answer that all is set up. Any other is why it is not. */
export const READY = "ready";

const ANSWER = 3;

/** Whether this process is one in the background. It answers on descriptor 3. */
function isDaemon(): boolean {
  return env[DAEMON] === "yes";
}

/** The background process has set everything up: its parent may go. From here it holds no folder busy, as QEMU does. */
export function daemonReady(): void {
  if (!isDaemon()) return;
  writeSync(ANSWER, READY);
  closeSync(ANSWER);
  chdir("/");
}

/** Says why it could not start: on stderr, or in the background to whoever waits for an answer. */
export function couldNotStart(why: string): void {
  writeSync(isDaemon() ? ANSWER : 2, `${why.trimEnd()}\n`);
}
