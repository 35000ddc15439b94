import type { Allowed } from "./check.ts";
import type { FakeRig } from "./fake-rig.ts";
import type { Fault, Trial, Tried } from "./faults.ts";

function fakeOf({ rig }: Trial): FakeRig {
  return rig as FakeRig;
}

/** A machine that misbehaves from the start. Before the next command it works again. */
function misbehaving(prepare: (rig: FakeRig) => (() => unknown) | void, allowed: Allowed, ...words: readonly string[]): Fault["run"] {
  return async (trial): Promise<Tried> => {
    const rig = fakeOf(trial);
    const repair = prepare(rig);
    const ended = await trial.start({}, ...words).ended;
    return { ended, allowed, reached: true, ...(repair === undefined ? {} : { repair: async () => repair() }) };
  };
}

/** A QEMU command with another answer, until `repair`. */
function answering(rig: FakeRig, command: string, otherwise: (args: any, usual: (args: any) => unknown) => unknown): () => void {
  const usual = rig.qemu.answers[command] as (args: any) => unknown;
  rig.qemu.answers[command] = ((args: any) => otherwise(args, usual)) as (args: never) => unknown;
  return () => void (rig.qemu.answers[command] = usual as (args: never) => unknown);
}

const thirdPlug: Fault["run"] = misbehaving(
  (rig) => {
    const usual = rig.qemu.answers["device_add"];
    rig.qemu.refuses("device_add", "no room for it", (args: { id: string }) => args.id === "vcpu3");
    return () => void (rig.qemu.answers["device_add"] = usual as (args: never) => unknown);
  },
  { codes: [1] },
);

/** A balloon that stops on its way down, and goes on when it is asked again. */
const halfWay: Fault["run"] = misbehaving(
  (rig) => {
    const repair = answering(rig, "balloon", ({ value }: { value: number }) => void (rig.qemu.actual = (rig.qemu.actual + value) / 2));
    return () => (repair(), undefined);
  },
  { codes: [5] },
  "--timeout",
  "2s",
);

const threadGone: Fault["run"] = misbehaving(
  (rig) => {
    let asked = 0;
    const repair = answering(rig, "query-cpus-fast", (args, usual) => {
      // The product reads the thread for identity, for the facts, and again just before it pins it. The thread goes in between.
      const cpus = usual(args) as readonly { readonly "cpu-index": number }[];
      return ++asked === 3 ? cpus.filter((cpu) => cpu["cpu-index"] !== 0) : cpus;
    });
    return repair;
  },
  { codes: [1] },
);

/** A guest that is asked to release vCPUs, and does this instead. */
function shrinking(
  answer: (rig: FakeRig, id: string) => unknown,
  allowed: Allowed,
  after: (rig: FakeRig) => unknown = () => undefined,
): Fault["run"] {
  return misbehaving(
    (rig) => {
      const repair = answering(rig, "device_del", ({ id }: { id: string }) => answer(rig, id));
      return () => (repair(), after(rig));
    },
    allowed,
    "--timeout",
    "2s",
  );
}

/** It refuses vCPU 3 and releases the others. */
const refused = shrinking(
  (rig, id) => {
    if (id !== "vcpu3") rig.qemu.letGo(id);
    else rig.monitor.emit("ACPI_DEVICE_OST", { info: { device: id, slot: "3", "slot-type": "CPU", source: 3, status: 1 } });
  },
  { codes: [1] },
);

/** Faults that only a fake can have at any time. */
export const FAKE_FAULTS: readonly Fault[] = [
  { name: "third device_add refused", steps: ["plug"], run: thirdPlug },
  { name: "balloon stuck half-way", steps: ["wait"], run: halfWay },
  { name: "vCPU gone before its pin", steps: ["pin"], run: threadGone },
  { name: "unplug refused by the guest", steps: ["unplug"], kind: "shrink", run: refused },
  {
    name: "unplug pending",
    steps: ["unplug"],
    kind: "shrink",
    run: shrinking(
      () => undefined,
      { codes: [5] },
      (rig) => ["vcpu2", "vcpu3"].forEach((id) => rig.qemu.letGo(id)),
    ),
  },
  {
    name: "unplug done without an event",
    steps: ["unplug"],
    kind: "shrink",
    run: shrinking((rig, id) => void setTimeout(() => rig.qemu.letGo(id), 100), { codes: [0] }),
  },
];
