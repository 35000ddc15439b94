import { execFile, spawn } from "node:child_process";

/**
 * Becomes another user, for good. The owner of a machine decides on its lock and on what its config may do.
 * A user without an entry in the user database stays root, and is refused later. `more`: variables to be set.
 */
export async function become(uid: number, more: Readonly<Record<string, string>>): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const entry = await new Promise<string>((resolve) => execFile("getent", ["passwd", String(uid)], (_error, text) => resolve(text)));
  const [name, , , gid, , home] = entry.trim().split(":");
  if (name === undefined || name === "" || gid === undefined) return;
  const { initgroups } = process as { readonly initgroups?: (user: string, group: number) => void };
  const env = environmentOf(name, home, more);
  try {
    initgroups?.(name, Number(gid));
  } catch (error) {
    // A Node on the system's own libuv lets nobody become another user, as it can't tell whether io_uring is in use (CVE-2024-22017).
    if ((error as NodeJS.ErrnoException).code !== "ERR_INVALID_STATE") throw error;
    return await runAgain([`--reuid=${uid}`, `--regid=${gid}`, "--init-groups"], env);
  }
  process.setgid?.(Number(gid));
  process.setuid?.(uid);
  for (const variable of Object.keys(process.env)) if (!Object.hasOwn(env, variable)) delete process.env[variable];
  Object.assign(process.env, env);
}

function environmentOf(name: string, home: string | undefined, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { XDG_RUNTIME_DIR: _, XDG_CONFIG_HOME: _config, XDG_STATE_HOME: _state, ...others } = process.env;
  return { ...others, HOME: home, USER: name, LOGNAME: name, ...more };
}

/**
 * Runs this program from its beginning as that user, by setpriv(1), and ends as it ends. Nothing was done or read before: a verb opens its
 * domain first.
 */
function runAgain(as: readonly string[], env: NodeJS.ProcessEnv): Promise<never> {
  const words = [...as, "--", process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn("setpriv", words, { stdio: "inherit", env });
  // It undoes what is half done, and is waited for. A terminal interrupts both by itself.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.removeAllListeners(signal);
    process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY === true ? undefined : void child.kill(signal)));
  }
  return new Promise((_, reject) => {
    child.once("error", (cause) => reject(new Error(`setpriv, to work as the machine's owner: ${cause.message}`, { cause })));
    child.once("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}
