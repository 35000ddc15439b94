import { MARK_PREFIX } from "../../src/config/mark.ts";
import { QmpFailure } from "../../src/testing/index.ts";
import { GIB } from "./facts.ts";
import { FakeDevices } from "./fake-devices.ts";
import { FakeDisk } from "./fake-disks.ts";
import { FakeIothreads } from "./fake-iothreads.ts";
import { FakeMemory } from "./fake-memory.ts";

/** A modern virtio-balloon, with its registers in its fourth region. */
const BALLOON = {
  bus: 0,
  slot: 3,
  function: 0,
  class_info: { class: 255 },
  id: { vendor: 0x1af4, device: 0x1045 },
  irq_pin: 1,
  qdev_id: "balloon0",
  regions: [{ bar: 4, type: "memory", address: 0xfe000000, size: 0x4000 }],
};

/** A fake QEMU behind its monitor: 2 GiB with a balloon, room for 4 vCPUs. A test can read and change its state. */
export class FakeQemu {
  status = "running";
  readonly size: number = 2 * GIB;
  actual: number = GIB;
  /** The target in the balloon device. */
  target: number = GIB;
  /** Whether the guest does at once what it is asked for. */
  guestObeys = true;
  /** Whether the guest reports its use when asked, how often it has, and how many bytes it uses. */
  guestSpeaks = true;
  words = 1;
  used: number = GIB / 16;
  polling = 5;
  readonly memory = new FakeMemory();
  /** The id of each plugged vCPU. */
  readonly plugged = new Map<number, string>([
    [0, ""],
    [1, ""],
  ]);
  readonly iothreads = new FakeIothreads();
  /** The answer to each command. A test may put its own in front. */
  readonly answers: Record<string, (args: never) => unknown>;
  /** How it identifies itself: the object of its mark, its -name, its UUID. */
  objects: readonly string[];
  name: string | null;
  uuid = "00000000-0000-0000-0000-000000000000";
  readonly disk = new FakeDisk();
  readonly devices = new FakeDevices();
  readonly #tids: readonly number[];

  /** `tids`: a thread for each possible vCPU. `id`: of its mark. Without one, it has no mark. */
  constructor(tids: readonly number[], { name = null, id }: { readonly name?: string | null; readonly id?: string } = {}) {
    this.#tids = tids;
    this.name = name;
    this.objects = ["pc.ram", ...(id === undefined ? [] : [`${MARK_PREFIX}${id}`])];
    this.answers = {
      ...this.disk.answers,
      "query-status": () => ({ status: this.status, running: this.status === "running" }),
      "query-name": () => (this.name === null ? {} : { name: this.name }),
      "query-uuid": () => ({ UUID: this.uuid }),
      "query-kvm": () => ({ enabled: true, present: true }),
      "query-cpus-fast": () => this.#cpus(),
      ...this.iothreads.answers,
      "query-hotpluggable-cpus": () => this.#tids.map((_, vcpu) => this.#slot(vcpu)).toReversed(),
      "query-acpi-ospm-status": () => [],
      "query-migrate": () => ({}),
      "query-memory-size-summary": () => ({ "base-memory": this.size, "plugged-memory": this.memory.plugged }),
      "query-memory-devices": () => this.memory.devices,
      "query-balloon": () => ({ actual: this.actual + this.memory.dimms }),
      "qom-list": ({ path }: { path: string }) =>
        path === "/machine/peripheral" ? this.#devices() : path === "/objects" ? this.#objects() : [],
      "qom-set": ({ path, property, value }: { path: string; property: string; value: number }) => {
        if (this.iothreads.change(path, property, value)) return;
        if (property === "requested-size") this.memory.request(path, value, this.guestObeys);
        if (property !== "guest-stats-polling-interval") return;
        this.polling = value;
        if (value > 0 && this.guestSpeaks && this.status === "running") this.words += 1;
      },
      "qom-get": ({ path, property }: { path: string; property: string }) =>
        property === "guest-stats-polling-interval"
          ? this.polling
          : property === "guest-stats"
            ? this.#figures()
            : (this.iothreads.get(path, property) ?? {}),
      balloon: ({ value }: { value: number }) => {
        // Kept as what the balloon leaves of the memory at start, as QEMU keeps the pages that it took.
        this.target = value - this.memory.dimms;
        if (this.guestObeys) this.actual = this.target;
      },
      "query-pci": () => [{ bus: 0, devices: [BALLOON] }],
      "human-monitor-command": ({ "command-line": line }: { "command-line": string }) =>
        `${line.split(" 0x")[1]?.padStart(16, "0")}: 0x${this.#register(line).toString(16).padStart(8, "0")}\r\n`,
      device_add: (args: { driver?: string; id: string; memdev: string; "core-id": number }) => {
        if (args.driver === "pc-dimm") this.memory.addDimm(args);
        else if (!this.devices.add(args)) this.plugged.set(args["core-id"], args.id);
      },
      device_del: ({ id }: { id: string }) => void (this.guestObeys && (this.memory.removeDimm(id) || this.letGo(id))),
      "object-add": (args: { id: string; "qom-type"?: string; size?: number }) =>
        args["qom-type"] === "iothread" ? this.iothreads.add(args.id, args) : this.memory.addBackend(args),
      "object-del": ({ id }: { id: string }) => (this.iothreads.remove(id) ? undefined : this.memory.removeBackend(id)),
      "device-list-properties": () => [],
      "query-named-block-nodes": () => [],
    };
  }

  /** The guest ejects a vCPU, with the name that `device_del` takes. */
  letGo(device: string): void {
    this.devices.plugged.delete(device);
    for (const vcpu of this.plugged.keys()) if (this.#path(vcpu).endsWith(device)) this.plugged.delete(vcpu);
  }

  /** From now on refuses a command, as QEMU does. */
  refuses(command: string, desc: string, when: (args: never) => boolean = () => true): void {
    const otherwise = this.answers[command];
    this.answers[command] = (args) => {
      if (when(args)) throw new QmpFailure("GenericError", desc);
      return otherwise?.(args);
    };
  }

  /** Does something right after a command. */
  after(command: string, act: () => unknown): void {
    const before = this.answers[command];
    this.answers[command] = async (args) => {
      const answer = await before?.(args);
      await act();
      return answer;
    };
  }

  #path(vcpu: number): string {
    const id = this.plugged.get(vcpu) ?? "";
    return id === "" ? `/machine/unattached/device[${vcpu}]` : `/machine/peripheral/${id}`;
  }

  #cpus(): readonly object[] {
    return [...this.plugged.keys()]
      .sort()
      .map((vcpu) => ({ "cpu-index": vcpu, "qom-path": this.#path(vcpu), "thread-id": this.#tids[vcpu], target: "x86_64" }));
  }

  #slot(vcpu: number): object {
    const props = { "core-id": vcpu, "thread-id": 0, "socket-id": 0 };
    return { type: "max-x86_64-cpu", "vcpus-count": 1, props, ...(this.plugged.has(vcpu) ? { "qom-path": this.#path(vcpu) } : {}) };
  }

  /** The status of the balloon's driver, which is active, or the balloon's target in pages. */
  #register(line: string): number {
    return line.endsWith("14") ? 0x0f : (this.size - this.target) / 4096;
  }

  /** The guest's last report. A running guest reports the present, a paused one the time when it had all its memory. */
  #figures(): object {
    const available = (this.status === "running" ? this.actual : this.size) + this.memory.dimms - this.used;
    return {
      "last-update": this.words + 1_800_000_000,
      stats: { "stat-total-memory": this.actual - GIB / 32, "stat-available-memory": available },
    };
  }

  #objects(): readonly object[] {
    const backends = [...this.memory.backends.keys()].map((name) => ({ name, type: "child<memory-backend-ram>" }));
    return [...this.objects.map((name) => ({ name, type: "child<object>" })), ...backends];
  }

  #devices(): readonly object[] {
    const ids = [...this.plugged.values()].filter((id) => id !== "");
    const users = [...this.iothreads.users.keys()].map((name) => ({ name, type: "child<virtio-scsi-pci>" }));
    const vcpus = ids.map((name) => ({ name, type: "child<max-x86_64-cpu>" }));
    return [...users, { name: "balloon0", type: "child<virtio-balloon-pci>" }, ...vcpus, ...this.memory.children, ...this.devices.list()];
  }
}
