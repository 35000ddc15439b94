import type { DeviceWords } from "../../config/device-words-text.ts";
import { idOf } from "../../config/device-words.ts";
import type { Option } from "../../config/options.ts";
import { HostError, isErrorCode, messageOf } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import type { Session } from "../../qmp/session.ts";
import { devicesOf } from "../facts/devices.ts";
import type { Live } from "../facts/live.ts";
import type { MachineNotes } from "../facts/notes.ts";
import { eventsOf } from "../machine/event-hints.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { withDeadline } from "../machine/with-deadline.ts";
import { whenLetGo } from "../model/run-state.ts";
import { sendBackend, sendDevice } from "./device-arguments.ts";
import { readDeviceText } from "./device-text.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step, StepEnd, Work } from "./step.ts";

/** Plug a device, and what it uses before it. */
export interface AttachStep extends Step {
  readonly kind: "attach-device";
  readonly id: string;
  readonly words: string;
}

/** Ask the guest to let go of a device, and free what it used when it has gone. */
export interface DetachStep extends Step {
  readonly kind: "detach-device";
  readonly id: string;
  /** Its words, where they are known: by these it is plugged again. */
  readonly words: string | null;
}

/** Plugs a device: `blockdev-add` and `netdev_add`, then `device_add`. What fails half-way is taken back. */
export const attaching: StepKind<AttachStep> = {
  kind: "attach-device",
  rank: 0,
  asksGuest: false,
  what: ({ id, words }) => `plug device ${id} (${readDeviceText(words).driver})`,
  sends: ({ words }) => sentFor(readDeviceText(words)),
  undoing: ({ words, id }) => [`device_del {"id":"${id}"}`, ...freeing(readDeviceText(words)).map(sentToFree)].join("; "),

  begin: ({ words }, { monitor, deadline, signal }) =>
    withDeadline(
      async (wanted) => {
        const device = readDeviceText(words);
        await plugIn(device, monitor.session).catch(async (error: unknown) => {
          if (!isErrorCode(error, "closed") || !wanted()) throw error;
          await monitor.revive(error);
          // It may have arrived before the connection broke.
          await plugIn(device, monitor.session, await madeOf(device, monitor.session));
        });
      },
      "device_add",
      { by: deadline, signal },
    ),

  readBack: async ({ id }, { monitor, deadline: by, signal }) => {
    const look = (): Promise<boolean> => monitor.ask(async (session) => (await devicesOf(session)).has(id), { by, signal });
    const { done } = await pollUntil({ look, done: (isThere) => isThere }, { by, signal });
    return done ? { outcome: "done" } : { outcome: "pending", reason: `QEMU took device ${id} and does not show it yet` };
  },

  // What QEMU refused was taken back at once, and what is there by that id is somebody else's.
  inverse: ({ id, words }, _now, _before, cause) =>
    cause instanceof CommandError ? [] : [{ kind: "detach-device", id, words } satisfies DetachStep],
  notedAfter: (asked, { step, outcome, cause }) =>
    outcome === "undone" || cause instanceof CommandError ? without(asked, step.id) : withDevice(asked, step.id, step.words),
};

/** Unplugs a device: the state decides, as events may not come. What it used is freed when QEMU lets go of it. */
export const detaching: StepKind<DetachStep> = {
  kind: "detach-device",
  rank: 3,
  asksGuest: true,
  what: ({ id }) => `unplug device ${id}`,
  sends: ({ id, words }) => [`device_del {"id":"${id}"}`, ...usesOf(words).map(sentToFree)].join("; "),
  undoing: ({ words }) => (words === null ? undefined : sentFor(readDeviceText(words))),
  noUndo: ({ words }) => (words === null ? "somebody else plugged it, and QEMU does not tell its words" : undefined),

  begin: async ({ id }, { monitor, deadline, signal }) => {
    await monitor
      .ask((session) => session.execute("device_del", { id }), { by: deadline, signal })
      .catch((error: unknown) => {
        if (!(error instanceof CommandError)) throw error;
        // One that is gone is what is wanted, and one that is on its way is asked for already.
        if (error.class !== "DeviceNotFound" && !/already in the process of unplug/.test(error.desc)) throw error;
      });
  },

  readBack: async (step, work) => {
    const { monitor, deadline: by, signal } = work;
    let refused: string | null = null;
    const hear = ({ event, data }: { readonly event: string; readonly data?: unknown }): void => {
      const of = data as { readonly device?: string; readonly path?: string } | undefined;
      if (event === "DEVICE_UNPLUG_GUEST_ERROR" && (of?.device === step.id || of?.path === `/machine/peripheral/${step.id}`))
        refused = `the guest refuses to let go of device ${step.id}`;
    };
    await pollUntil(
      {
        hints: eventsOf(monitor, ["DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR"], hear),
        look: () => monitor.ask(async (session) => !(await devicesOf(session)).has(step.id), { by, signal }),
        done: (gone) => gone || refused !== null || !work.live.running,
      },
      { by, signal },
    );
    const isThere = await monitor.ask(async (session) => (await devicesOf(session)).has(step.id), { by, signal });
    if (isThere && refused !== null) throw new HostError(refused);
    if (!isThere) return free(step, work);
    return { outcome: "pending", reason: `unplug of device ${step.id} is accepted; ${whyNotYet(work.live)}` };
  },

  inverse: (step, now) => {
    if (now.devices?.has(step.id) === true) return [];
    return step.words === null
      ? "somebody else plugged it, and QEMU does not tell its words"
      : [{ kind: "attach-device", id: step.id, words: step.words } satisfies AttachStep];
  },
  irrevocable: ({ id }, now, cause) =>
    now.devices?.has(id) === true && !(cause instanceof CommandError) && !(cause instanceof HostError)
      ? `QEMU has accepted the unplug of device ${id} and can't take it back: the guest may still do it`
      : null,
  hasNoWayBack: ({ words }, outcome) => (outcome !== "done" || words === null) && outcome !== "undone",
  goesOn: (now) => !now.running && now.status !== "prelaunch",
  notedAfter: (asked, { step, outcome, cause }) => {
    if (outcome === "done") return without(asked, step.id);
    const others = (asked.detaching ?? []).filter((id) => id !== step.id);
    return outcome === "undone" || cause instanceof CommandError || cause instanceof HostError
      ? { ...asked, detaching: others }
      : { ...asked, detaching: [...others, step.id] };
  },
};

function whyNotYet({ running, status }: Live): string {
  if (status === "prelaunch") return "the guest has not started, and never hears of it: it goes with a reset, or the end of this QEMU";
  return running ? "the guest has not let go of it yet, and QEMU frees it at a reset at the latest" : whenLetGo(status);
}

function withDevice(asked: MachineNotes, id: string, words: string): MachineNotes {
  return { ...asked, devices: { ...asked.devices, [id]: words }, detaching: (asked.detaching ?? []).filter((each) => each !== id) };
}

function without(asked: MachineNotes, id: string): MachineNotes {
  const { devices = {}, detaching = [], ...others } = asked;
  const left = Object.entries(devices).filter(([each]) => each !== id);
  return { ...others, devices: Object.fromEntries(left), detaching: detaching.filter((each) => each !== id) };
}

/** What is there already of a device, by the ids. */
type Made = ReadonlySet<string>;

/** Makes what a device uses, and plugs it. What it made is taken back if a later part fails. @throws what QEMU says */
async function plugIn({ id, device, backends }: DeviceWords, session: Session, made: Made = new Set()): Promise<void> {
  const done: Option[] = [];
  try {
    for (const option of backends) {
      if (made.has(`-${option.name} ${idOf(option)}`)) continue;
      const command = option.name === "netdev" ? "netdev_add" : "blockdev-add";
      await sendBackend(option, (members) => session.execute(command, members as never));
      done.push(option);
    }
    if (!made.has(`-device ${id}`)) await sendDevice(device, session);
  } catch (error) {
    if (error instanceof CommandError) for (const option of done.toReversed()) await remove(option, session).catch(() => undefined);
    throw error;
  }
}

async function madeOf({ id, backends }: DeviceWords, session: Session): Promise<Made> {
  const nodes = await session.execute("query-named-block-nodes", { flat: true });
  const blocks = new Set(nodes.map((node) => node["node-name"]));
  const isThere = (await devicesOf(session)).has(id);
  return new Set([
    ...backends.flatMap((option) => (option.name === "blockdev" && blocks.has(idOf(option)) ? [`-blockdev ${idOf(option)}`] : [])),
    ...(isThere ? [`-device ${id}`, ...backends.map((option) => `-${option.name} ${idOf(option)}`)] : []),
  ]);
}

/** What is freed when a device has gone: the node that it uses before those beneath. */
function freeing({ backends }: DeviceWords): readonly Option[] {
  return backends.filter(({ name }) => name !== "drive").toReversed();
}

function usesOf(words: string | null): readonly Option[] {
  return words === null ? [] : freeing(readDeviceText(words));
}

function sentFor({ device, backends }: DeviceWords): string {
  const parts = backends.map((option) => `${option.name === "netdev" ? "netdev_add" : "blockdev-add"} ${option.value}`);
  return [...parts, `device_add ${device.value}`].join("; ");
}

function sentToFree(option: Option): string {
  return option.name === "netdev" ? `netdev_del {"id":"${idOf(option)}"}` : `blockdev-del {"node-name":"${idOf(option)}"}`;
}

async function remove(option: Option, session: Session): Promise<void> {
  const id = idOf(option) ?? "";
  if (option.name === "netdev") await session.execute("netdev_del", { id });
  else await session.execute("blockdev-del", { "node-name": id });
}

/** Frees what a device used. QEMU may hold it for a moment more: the state decides. */
async function free({ id, words }: DetachStep, { monitor, deadline: by, signal }: Work): Promise<StepEnd> {
  for (const option of usesOf(words)) {
    let why = "";
    const look = (): Promise<boolean> =>
      monitor.ask(
        (session) =>
          remove(option, session).then(
            () => true,
            (error: unknown) => {
              if (!(error instanceof CommandError)) throw error;
              why = messageOf(error);
              return GONE.test(error.desc) || error.class === "DeviceNotFound";
            },
          ),
        { by, signal },
      );
    const { done } = await pollUntil({ look, done: (gone) => gone }, { by, signal });
    if (!done) return { outcome: "pending", reason: `device ${id} has gone, and QEMU still holds what it used: ${why}` };
  }
  return { outcome: "done" };
}

/** What QEMU says of a node that is not there: until 6.2, and since. */
const GONE = /^(Cannot find node|Failed to find node)/;
