import { once } from "node:events";
import { HostError, messageOf } from "../../errors.ts";
import { childProcesses, findProgram } from "../../host/programs.ts";
import type { Io } from "../verb.ts";

/** The editor of the user, as a command for a shell: VISUAL, EDITOR, Debian's own choice, or vi. */
export function editorOf(env: Io["env"]): string {
  const own = env["VISUAL"] || env["EDITOR"];
  if (own !== undefined && own.trim() !== "") return own;
  return "path" in findProgram("sensible-editor") ? "sensible-editor" : "vi";
}

/**
 * Has a user edit a file on this process's own terminal, and waits for the end of it. The editor may have words of its own, as
 * `code --wait`: a shell reads them, as it does for all programs that begin one. The file's name is no part of what it reads.
 *
 * @throws HostError where there is no such editor, or it fails
 */
export async function editFile(path: string, editor: string, env: Io["env"]): Promise<void> {
  const child = childProcesses().spawn("/bin/sh", ["-c", `${editor} "$@"`, editor, path], { stdio: "inherit", env: { ...env } });
  const [code, signal] = (await once(child, "close").catch((error: unknown) => [messageOf(error), null])) as [
    number | string | null,
    string | null,
  ];
  if (code !== 0) throw new HostError(`the editor (${editor}) ended with ${signal ?? `status ${code}`}`);
}
