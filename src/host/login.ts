import { kernelFileIfThere } from "./kernel-file.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** How long the system's bus may take to answer, in milliseconds. */
const TIMEOUT = 1000;

/**
 * Whether programs that we start end with the login session that we are in: logind's KillUserProcesses, for users that it does not exempt.
 * False if there is no logind, no session, or no answer. Source: logind.conf(5), org.freedesktop.login1(5).
 */
export async function sessionEndsProcesses(): Promise<boolean> {
  const session = /\/user-(\d+)\.slice\/session-[^/]+\.scope$/m.exec(kernelFileIfThere("/proc/self/cgroup") ?? "");
  // Root is exempt unless an administrator says otherwise.
  if (session === null || session[1] === "0") return false;
  return new Promise((resolve) => {
    const words = [
      "get-property",
      "org.freedesktop.login1",
      "/org/freedesktop/login1",
      "org.freedesktop.login1.Manager",
      "KillUserProcesses",
    ];
    childProcesses().execFile("busctl", words, { timeout: TIMEOUT, env: toolEnvironment() }, (error, stdout) =>
      resolve(error === null && stdout.trim() === "b true"),
    );
  });
}
