/// <reference lib="esnext.disposable" />
import { type FakeAgent, QmpFailure, startAgent } from "../../src/testing/index.ts";
import type { FakeQemu } from "./fake-qemu.ts";

/** The size of a block of memory, as Linux has it on x86-64. */
const BLOCK = 2 ** 27;

/** A fake guest with an agent: it uses each vCPU that its QEMU has, but for those that are `offline`. A test can change its state. */
export interface FakeGuest extends AsyncDisposable {
  /** The path of the agent's socket, as the key `agent` of a config has it. */
  readonly path: string;
  readonly agent: FakeAgent;
  readonly offline: Set<number>;
  frozen: boolean;
  /** Its kernel has not found these vCPUs yet. */
  readonly unseen: Set<number>;
}

/**
 * Starts the agent of a fake QEMU's guest, and has that QEMU show its channel. Its words are those of qemu-ga, as guest-half.test.ts shows.
 */
export async function startFakeGuest(qemu: FakeQemu, address?: string): Promise<FakeGuest> {
  const state = { frozen: false, offline: new Set<number>(), unseen: new Set<number>() };
  const seen = (): readonly number[] => [...qemu.plugged.keys()].filter((id) => !state.unseen.has(id)).sort();
  const agent = await startAgent({
    ...(address === undefined ? {} : { address }),
    answers: {
      "guest-fsfreeze-status": () => (state.frozen ? "frozen" : "thawed"),
      // One file system, as the testbed's guest has it.
      "guest-fsfreeze-freeze": () => {
        thawed(state.frozen, "guest-fsfreeze-freeze");
        state.frozen = true;
        return 1;
      },
      "guest-fsfreeze-thaw": () => {
        const count = state.frozen ? 1 : 0;
        state.frozen = false;
        return count;
      },
      "guest-get-vcpus": () => {
        thawed(state.frozen, "guest-get-vcpus");
        for (const id of state.offline) if (!qemu.plugged.has(id)) state.offline.delete(id);
        return seen().map((id) => ({ online: !state.offline.has(id), "can-offline": id > 0, "logical-id": id }));
      },
      "guest-set-vcpus": (args) => {
        thawed(state.frozen, "guest-set-vcpus");
        const { vcpus } = args as { readonly vcpus: readonly { readonly "logical-id": number; readonly online: boolean }[] };
        for (const { "logical-id": id, online } of vcpus) set(state.offline, seen(), id, online);
        return vcpus.length;
      },
      "guest-get-memory-blocks": () => {
        thawed(state.frozen, "guest-get-memory-blocks");
        return Array.from({ length: Math.ceil(qemu.size / BLOCK) }, (_, index) => ({
          online: true,
          "can-offline": true,
          "phys-index": index,
        }));
      },
      "guest-get-memory-block-info": () => {
        thawed(state.frozen, "guest-get-memory-block-info");
        return { size: BLOCK };
      },
    },
  });
  // A vCPU that comes is a new one, and the guest uses it.
  qemu.after("device_add", () => state.offline.delete([...qemu.plugged.keys()].at(-1) ?? 0));
  const path = agent.address.slice("unix:".length);
  qemu.answers["query-chardev"] = () => [{ label: "agent0", filename: `disconnected:unix:${path},server=on`, "frontend-open": true }];
  return Object.assign(state, { path, agent, [Symbol.asyncDispose]: () => agent.close() });
}

function thawed(frozen: boolean, command: string): void {
  if (frozen) throw new QmpFailure("CommandNotFound", `Command ${command} has been disabled: the agent is in frozen state`);
}

function set(offline: Set<number>, seen: readonly number[], id: number, online: boolean): void {
  if (!seen.includes(id)) throw new QmpFailure("GenericError", `open("/sys/devices/system/cpu/cpu${id}/"): No such file or directory`);
  if (id === 0 && !online) throw new QmpFailure("GenericError", "logical processor #0 can't be offlined");
  if (online) offline.delete(id);
  else offline.add(id);
}
