/// <reference lib="esnext.disposable" />
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { privateFolder } from "../lab/machine.ts";
import { Proxy } from "./proxy.ts";

/** The channel of a guest's agent, with a proxy before it. */
export interface Channel extends AsyncDisposable {
  readonly path: string;
  /** There once the guest's agent answers. */
  readonly proxy: Proxy;
  /** Waits until the agent answers, and puts the proxy before it. */
  before(): Promise<void>;
  /** The vCPUs that the guest has and does not use, asked past the proxy and without the product. */
  offline(): Promise<readonly number[]>;
}

/** How long an agent may take, in milliseconds: that of a guest that boots, and one answer. */
const BOOT = 30_000;
const ANSWER = 5000;

/** Makes a place for the socket of an agent. */
export async function openChannel(): Promise<Channel> {
  const folder = await privateFolder();
  const path = join(folder.path, "agent.sock");
  let proxy: Proxy | undefined;
  return {
    path,
    get proxy(): Proxy {
      if (proxy === undefined) throw new Error("the agent's channel has no proxy yet");
      return proxy;
    },
    before: async () => {
      const end = performance.now() + BOOT;
      while ((await vcpusOf(path).catch(() => null)) === null) {
        if (performance.now() > end) throw new Error(`the guest's agent has not answered in ${BOOT} ms`);
        await wait(100);
      }
      proxy = await Proxy.before(path);
    },
    offline: async () => (await vcpusOf(`${path}.real`)).filter(({ online }) => !online).map((vcpu) => vcpu["logical-id"]),
    [Symbol.asyncDispose]: async () => {
      await proxy?.[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

interface GuestVcpu {
  readonly "logical-id": number;
  readonly online: boolean;
}

/** Asks an agent which vCPUs its guest has. What it was asked before by others may be answered first, so a number comes before. */
async function vcpusOf(path: string): Promise<readonly GuestVcpu[]> {
  const socket = connect(path);
  try {
    return await new Promise((resolve, reject) => {
      const number = Math.floor(Math.random() * 2 ** 31);
      let [text, isOurs] = ["", false];
      socket.setTimeout(ANSWER, () => reject(new Error(`the guest's agent has not answered in ${ANSWER} ms`)));
      socket.on("error", reject).on("close", () => reject(new Error("the agent's channel was closed")));
      socket.setEncoding("latin1").on("data", (piece: string) => {
        const lines = (text + piece).split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) {
          if (isOurs) resolve((JSON.parse(line) as { readonly return: readonly GuestVcpu[] }).return);
          isOurs ||= line.includes(String(number));
        }
      });
      // A byte that is no text ends what was half said before.
      socket.write(Buffer.from([0xff]));
      socket.write(`{"execute":"guest-sync-delimited","arguments":{"id":${number}}}\n{"execute":"guest-get-vcpus"}\n`);
    });
  } finally {
    socket.destroy();
  }
}
