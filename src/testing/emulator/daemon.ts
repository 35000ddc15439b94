import { closeSync, writeSync } from "node:fs";
import { chdir, env } from "node:process";

/** The variable that the launching script sets for the program in the background. The script waits for the program's answer. */
export const DAEMON = "QMPCTL_STAND_IN";

/** The answer that everything is set up. Any other answer is the reason why it is not. */
export const READY = "ready";

const ANSWER = 3;

/** Whether this process runs in the background. It then answers on descriptor 3. */
function isDaemon(): boolean {
  return env[DAEMON] === "yes";
}

/** Tells the launching script that everything is set up. From here on this process has / as its folder, as QEMU does. */
export function daemonReady(): void {
  if (!isDaemon()) return;
  writeSync(ANSWER, READY);
  closeSync(ANSWER);
  chdir("/");
}

/** Says why it could not start: on stderr, or to the launching script if this process runs in the background. */
export function couldNotStart(why: string): void {
  writeSync(isDaemon() ? ANSWER : 2, `${why.trimEnd()}\n`);
}
