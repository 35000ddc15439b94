import { HostError } from "../errors.ts";
import { childProcesses, toolEnvironment, withoutVariable } from "./programs.ts";

/** Tells the service manager that runs this process how far it is. Never throws: resolves with why it could not be told, or null. */
export type Notify = (...words: readonly string[]) => Promise<string | null>;

/** How long the service manager may take to hear it, in milliseconds. */
const TIMEOUT = 10_000;

/**
 * The way to the service manager that runs this process, as the variable NOTIFY_SOCKET names it, which is taken out of the environment:
 * what
 * is started from now on does not speak for us. Without the variable nobody wants to be told. Node has no datagram sockets of Unix, so
 * `systemd-notify` says it: for root as this process, for others as itself, which NotifyAccess=all allows. Source: sd_notify(3),
 * systemd-notify(1).
 */
export function takeNotify(): Notify {
  const socket = withoutVariable("NOTIFY_SOCKET");
  if (socket === undefined || socket === "") return async () => null;
  return async (...words) => {
    try {
      await send(socket, words);
      return null;
    } catch (error) {
      return error instanceof HostError ? error.message : String(error);
    }
  };
}

function send(socket: string, words: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { timeout: TIMEOUT, killSignal: "SIGKILL", env: { ...toolEnvironment(), NOTIFY_SOCKET: socket } } as const;
    childProcesses().execFile("systemd-notify", words, options, (cause, _, stderr) => {
      if (cause === null) return resolve();
      const missing = (cause.code as unknown) === "ENOENT";
      const why = missing ? "there is no systemd-notify on this machine" : stderr.trim() || cause.message;
      reject(new HostError(`systemd-notify ${words.join(" ")}: ${why}`, { command: ["systemd-notify", ...words], stderr }, { cause }));
    });
  });
}
