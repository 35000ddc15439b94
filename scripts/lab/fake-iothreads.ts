import { QmpFailure } from "../../src/testing/index.ts";

interface FakeIothread {
  readonly tid: number;
  /** As QEMU makes it, and as it is set. */
  readonly settings: Record<string, number>;
}

/** The iothreads of a fake QEMU: some that it has, and spare threads for those that are added. */
export class FakeIothreads {
  /** Called when one is added, with its thread. */
  onAdd: ((tid: number) => Promise<void>) | undefined;
  /** Threads for iothreads to come. */
  spare: number[] = [];
  /** The iothread of each device that uses one. */
  readonly users = new Map<string, string>();
  readonly #all = new Map<string, FakeIothread>();

  readonly answers = {
    "query-iothreads": () =>
      [...this.#all].map(([id, { tid, settings }]) => ({ id, "thread-id": tid, ...pollingOf(settings), "aio-max-batch": 0 })),
  };

  /** Does an `object-add` of an iothread. */
  async add(id: string, { "qom-type": _type, id: _id, ...settings }: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#all.has(id)) throw new QmpFailure("GenericError", `attempt to add duplicate property '${id}' to object (type 'container')`);
    const tid = this.spare.shift() ?? 0;
    this.set(id, tid, settings as Record<string, number>);
    await this.onAdd?.(tid);
  }

  /** Does an `object-del`. Whether it was one of these. */
  remove(id: string): boolean {
    const found = this.#all.get(id);
    if (found === undefined) return false;
    this.#all.delete(id);
    this.spare.push(found.tid);
    return true;
  }

  /** The thread of each iothread, by its id. */
  get tids(): ReadonlyMap<string, number> {
    return new Map([...this.#all].map(([id, { tid }]) => [id, tid]));
  }

  /** How long each polls at most. */
  get polling(): ReadonlyMap<string, number> {
    return new Map([...this.#all].map(([id, { settings }]) => [id, settings["poll-max-ns"] ?? 0]));
  }

  set(id: string, tid: number, settings: Readonly<Record<string, number>> = {}): void {
    const own = { "poll-max-ns": 32768, "poll-grow": 0, "poll-shrink": 0, "thread-pool-min": 0, "thread-pool-max": 64 };
    this.#all.set(id, { tid, settings: { ...own, ...settings } });
  }

  /** Answers a `qom-get` about an iothread, or a device's link to one; undefined if it is about something else. */
  get(path: string, property: string): unknown {
    if (property === "iothread-vq-mapping") throw new QmpFailure("GenericError", `Property '${path}.${property}' not found`);
    if (property === "iothread") return `/objects/${this.users.get(path.split("/").at(-1) ?? "") ?? ""}`.replace(/^\/objects\/$/, "");
    return this.#of(path)?.settings[property];
  }

  /** Does a `qom-set` of an iothread. Whether it was one. */
  change(path: string, property: string, value: number): boolean {
    const found = this.#of(path);
    if (found === undefined) return false;
    found.settings[property] = value;
    return true;
  }

  #of(path: string): FakeIothread | undefined {
    return path.startsWith("/objects/") ? this.#all.get(path.slice("/objects/".length)) : undefined;
  }
}

function pollingOf(settings: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name.startsWith("poll-")));
}
