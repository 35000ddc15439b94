import { deadlineIn } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { GuestAgent } from "../../qmp/guest-agent.ts";
import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";
import type { GuestHalf, GuestVcpu, GuestWord } from "./guest-half.ts";
import type { LiveParts } from "./live-parts.ts";
import type { Live, ReadAbout } from "./live.ts";

/** How long a guest agent has for its answers when the machine is looked at, in milliseconds. A real one takes about 30. */
const AGENT_TIMEOUT = 1000;

/** Reads the guest's own half, if the config names its agent. A guest that says nothing is no error: what is not known is said, and why. */
export async function readGuest(session: Session, live: Live, { config, by }: ReadAbout): Promise<LiveParts> {
  if (config?.agent === undefined) return {};
  // A silent agent must not make its machine one that does not answer.
  const timeout = Math.min(AGENT_TIMEOUT, by === undefined ? AGENT_TIMEOUT : Math.max(1, by.left() / 2));
  return { guest: await askAgent(session, live, config.agent, timeout) };
}

async function askAgent(session: Session, { running }: Live, path: string, timeout: number): Promise<GuestWord> {
  if (!running) return { unknown: "the guest does not run" };
  const channel = await channelAt(session, path);
  if (channel === null) return { unknown: `QEMU has no channel at ${path}` };
  if (!channel.open) return { unknown: "no agent runs in the guest" };
  try {
    return await withAgent(path, timeout, (agent, left) => guestHalf(agent, left));
  } catch (error) {
    const held = channel.held ? "; another program holds its channel" : "";
    return { unknown: `${messageOf(error).replace(`unix:${path}: `, "")}${held}` };
  }
}

/** Where a QEMU listens for those who talk to its guest's agent. A path in a config may be another machine's. */
interface Channel {
  /** The guest has opened its end. */
  readonly open: boolean;
  /** Somebody is connected to ours: it takes one at a time. */
  readonly held: boolean;
}

async function channelAt(session: Session, path: string): Promise<Channel | null> {
  const devices = (await orNull(session.execute("query-chardev"))) ?? [];
  const device = devices.find(({ filename }) => /^(?:disconnected:)?unix:(.*?)(?:,server(?:=on)?)?$/.exec(filename)?.[1] === path);
  return device === undefined ? null : { open: device["frontend-open"], held: !device.filename.startsWith("disconnected:") };
}

/**
 * Connects to an agent, and asks it. `left` says how much time there is for a question.
 *
 * @throws ConnectError or GreetingError where it does not answer; what the questions throw. A frozen guest is called that
 */
export async function withAgent<T>(
  path: string,
  timeout: number,
  ask: (agent: GuestAgent, left: () => { readonly timeout: number }) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { connectAgent } = await import("../../qmp/guest-agent.ts");
  const by = deadlineIn(timeout);
  const left = (): { readonly timeout: number; readonly signal?: AbortSignal } => ({
    timeout: Math.max(1, by.left()),
    ...(signal === undefined ? {} : { signal }),
  });
  await using agent = await connectAgent(`unix:${path}`, left());
  try {
    return await ask(agent, left);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // What a frozen guest refuses, it refuses in words that don't say so.
    const status = await agent.execute("guest-fsfreeze-status", {}, left()).catch(() => "thawed");
    if (status !== "frozen") throw error;
    throw new FrozenError("the guest's file systems are frozen, and its agent does nothing until they are thawed", { cause: error });
  }
}

/** The guest agent refuses everything, as long as the file systems are frozen. */
class FrozenError extends Error {
  override readonly name = "FrozenError";
}

async function guestHalf(agent: GuestAgent, left: () => { readonly timeout: number }): Promise<GuestHalf> {
  const vcpus = await guestVcpus(agent, left());
  const blocks = await orNull(agent.execute("guest-get-memory-blocks", {}, left()));
  const block = blocks === null ? null : await orNull(agent.execute("guest-get-memory-block-info", {}, left()));
  const online = Array.isArray(blocks) ? blocks.filter((each) => each.online === true).length : 0;
  const size = Number(block?.size);
  return { vcpus, memory: online > 0 && Number.isSafeInteger(online * size) ? online * size : null };
}

/**
 * The guest's vCPUs, in the order of its numbers. A guest can say anything: what makes no sense is no answer. @throws Error for such one
 */
export async function guestVcpus(agent: GuestAgent, options: { readonly timeout: number }): Promise<readonly GuestVcpu[]> {
  const said: unknown = await agent.execute("guest-get-vcpus", {}, options);
  const vcpus = (Array.isArray(said) ? said : []).map((each: Readonly<Record<string, unknown>> | null) => ({
    id: Number(each?.["logical-id"]),
    online: each?.["online"] === true,
    fixed: each?.["can-offline"] === false,
  }));
  const makesSense = vcpus.length > 0 && new Set(vcpus.map(({ id }) => id)).size === vcpus.length;
  if (!makesSense || !vcpus.every(({ id }) => Number.isSafeInteger(id) && id >= 0))
    throw new Error(`the guest agent's answer to guest-get-vcpus makes no sense`);
  return vcpus.sort((one, other) => one.id - other.id);
}
