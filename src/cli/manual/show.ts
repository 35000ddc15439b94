import { once } from "node:events";
import { messageOf, QmpctlError } from "../../errors.ts";
import { childProcesses, findProgram } from "../../host/programs.ts";

/**
 * Has `man` show a page on this process's own terminal, and waits for the end of it.
 *
 * @throws QmpctlError `host` where there is no man, or it fails; `instead` is the command that says the same
 */
export async function showPage(page: string, instead: string): Promise<void> {
  const found = findProgram("man");
  if ("why" in found) throw new QmpctlError("host", `man: ${found.why}; ${instead} says the same`);
  // With -l, man takes a file that is a page, wherever MANPATH leads.
  const child = childProcesses().spawn(found.path, ["-l", page], { stdio: "inherit" });
  const [code, signal] = (await once(child, "close").catch((error: unknown) => [messageOf(error), null])) as [
    number | string | null,
    string | null,
  ];
  if (code !== 0) throw new QmpctlError("host", `man ended with ${signal ?? `status ${code}`}; ${instead} says the same`);
}
