import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { kernelFileIfThere } from "./kernel-file.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** How long the system's bus may take to answer, in milliseconds. */
const TIMEOUT = 5000;

/**
 * Whether a process of ours ends with the login session that it is in: logind's KillUserProcesses, for users that it does not exempt.
 * False if there is no logind, no session, or no answer. Source: logind.conf(5), org.freedesktop.login1(5).
 */
export async function sessionEndsProcesses(pid: number): Promise<boolean> {
  const session = /\/user-(\d+)\.slice\/session-[^/]+\.scope$/m.exec(kernelFileIfThere(`/proc/${pid}/cgroup`) ?? "");
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

/** Whether systemd runs this host. Source: sd_booted(3). */
export function isSystemd(): boolean {
  return existsSync("/run/systemd/system");
}

/** Whether our user's own systemd runs on without a login session. Source: loginctl(1), enable-linger. */
export function lingers(): boolean {
  try {
    return existsSync(`/var/lib/systemd/linger/${userInfo().username}`);
  } catch {
    return false; // a user without a name
  }
}
