import { readdir, readFile } from "node:fs/promises";

/** Stops a process, and resolves when all of its threads stand: they stop one by one. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  const states = async (): Promise<string[]> =>
    Promise.all(
      (await readdir(`/proc/${pid}/task`)).map(
        async (tid) => /\) (\w)/.exec(await readFile(`/proc/${pid}/task/${tid}/stat`, "utf8"))?.[1] ?? "",
      ),
    );
  while ((await states()).some((state) => state !== "T"));
}
