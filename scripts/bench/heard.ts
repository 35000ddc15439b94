/// <reference lib="esnext.disposable" />
import { rename } from "node:fs/promises";
import { Proxy } from "../faults/proxy.ts";

/** A request of a conversation, and how many messages of QEMU had come when it was sent. */
export interface Heard {
  readonly after: number;
  readonly request: unknown;
}

/** What a program says to a monitor: listens in between while `talk` runs it. */
export async function hear(path: string, talk: () => Promise<unknown>): Promise<readonly Heard[]> {
  const heard: Heard[] = [];
  let came = 0;
  {
    await using proxy = await Proxy.before(path);
    proxy.arm(({ from, text }) => {
      if (from === "client" && text.trim() !== "") heard.push({ after: came, request: JSON.parse(text) });
      if (from === "qemu" && !text.includes('"event":')) came += 1;
      return undefined;
    });
    await talk();
  }
  await rename(`${path}.real`, path);
  return heard;
}
