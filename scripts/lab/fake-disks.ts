/** The disk that every machine of the rigs has, and the words that make it. */
export const DISK = "disk0";
export const DISK_ARGS: readonly string[] = [
  ...["-blockdev", `null-co,node-name=${DISK},size=1048576,read-zeroes=on`],
  ...["-device", `virtio-blk-pci,drive=${DISK},id=${DISK}`],
];

const QDEV = `/machine/peripheral/${DISK}/virtio-backend`;
const RATES = ["iops", "iops_rd", "iops_wr", "bps", "bps_rd", "bps_wr"];

type Limits = Readonly<Record<string, number | string>>;

/** The disk of a fake QEMU, with its limits. A test can read and change them. */
export class FakeDisk {
  limits: Limits = {};

  readonly answers: Record<string, (args: never) => unknown> = {
    "query-block": () => [this.#block()],
    block_set_io_throttle: ({ id: _, group, ...values }: { id: string; group?: string }) => {
      const set = Object.entries(values as Limits).filter(([, value]) => value !== 0);
      this.limits = set.length === 0 ? {} : { ...Object.fromEntries(set), group: group ?? QDEV };
    },
  };

  /** The limits as an allocation has them: `iops=100`, `none`. */
  get text(): string {
    return limitsText(this.limits);
  }

  #block(): object {
    return {
      device: "",
      qdev: QDEV,
      type: "unknown",
      removable: false,
      locked: false,
      inserted: {
        "node-name": DISK,
        file: "json:{}",
        drv: "null-co",
        ro: false,
        image: { filename: "json:{}", format: "null-co", "virtual-size": 1_048_576 },
        ...Object.fromEntries(RATES.map((rate) => [rate, 0])),
        ...this.limits,
      },
    };
  }
}

/** The rates of `query-block` in one text; `none` where there are none. */
export function limitsText(values: Readonly<Record<string, unknown>>): string {
  const given = RATES.filter((rate) => Number(values[rate] ?? 0) > 0).map((rate) => `${rate.replaceAll("_", "-")}=${String(values[rate])}`);
  return given.length === 0 ? "none" : given.join(",");
}
