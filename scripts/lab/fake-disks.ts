/** The disk that every machine of the rigs has, and the words that make it. */
export const DISK = "disk0";
export const DISK_SIZE = 1_048_576;
export const DISK_ARGS: readonly string[] = [
  ...["-blockdev", `null-co,node-name=${DISK},size=1048576,read-zeroes=on`],
  ...["-device", `virtio-blk-pci,drive=${DISK},id=${DISK}`],
];

/** The drive that every machine of the rigs has, the words that make it, and a medium for it. */
export const DRIVE = "cd0";
export const DRIVE_ARGS: readonly string[] = ["-device", `ide-cd,id=${DRIVE}`];
/** A file that is on every host, and larger than nothing. */
export const MEDIUM: string = process.execPath;

const QDEV = `/machine/peripheral/${DISK}/virtio-backend`;
const RATES = ["iops", "iops_rd", "iops_wr", "bps", "bps_rd", "bps_wr"];

type Limits = Readonly<Record<string, number | string>>;

/** The disk of a fake QEMU, with its limits. A test can read and change them. */
export class FakeDisk {
  limits: Limits = {};
  /** What is in the drive, or nothing. */
  medium = "none";
  trayOpen = false;

  readonly answers: Record<string, (args: never) => unknown> = {
    "query-block": () => [this.#block(), this.#drive()],
    "blockdev-change-medium": ({ filename }: { filename: string }) => void (this.medium = filename),
    "blockdev-open-tray": () => void (this.trayOpen = true),
    "blockdev-close-tray": () => void (this.trayOpen = false),
    "blockdev-remove-medium": () => void (this.medium = "none"),
    block_set_io_throttle: ({ id: _, group, ...values }: { id: string; group?: string }) => {
      const set = Object.entries(values as Limits).filter(([, value]) => value !== 0);
      this.limits = set.length === 0 ? {} : { ...Object.fromEntries(set), group: group ?? QDEV };
    },
  };

  /** The limits as an allocation has them: `iops=100`, `none`. */
  get text(): string {
    return limitsText(this.limits);
  }

  #drive(): object {
    const image = { filename: this.medium, format: "raw", "virtual-size": 1_048_576 };
    const node = { "node-name": "#block001", file: this.medium, drv: "raw", ro: true, image };
    const inserted = { ...node, ...Object.fromEntries(RATES.map((rate) => [rate, 0])) };
    return {
      ...{ device: "", qdev: DRIVE, type: "unknown", removable: true, locked: false, tray_open: this.trayOpen },
      ...(this.medium === "none" ? {} : { inserted }),
    };
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

/** What the args of a config put into the drive; `none` where they put nothing into it. */
export function mediumInWords(args: readonly string[]): string {
  const node = /(?:^|,)drive=([^,]*)/.exec(args.find((word) => word.startsWith(DRIVE_ARGS[1] ?? "")) ?? "")?.[1];
  const words = node === undefined ? undefined : args.find((word) => word.includes(`node-name=${node},`));
  return /file\.filename=(.*)$/.exec(words ?? "")?.[1] ?? "none";
}

/** What `query-block` shows in the drive; `none` where there is nothing in it. */
export function mediumSeen(blocks: readonly { readonly qdev?: string; readonly inserted?: Readonly<Record<string, unknown>> }[]): string {
  return String(blocks.find(({ qdev }) => qdev === DRIVE)?.inserted?.["file"] ?? "none");
}

/** The rates of `query-block` in one text; `none` where there are none. */
export function limitsText(values: Readonly<Record<string, unknown>>): string {
  const given = RATES.filter((rate) => Number(values[rate] ?? 0) > 0).map((rate) => `${rate.replaceAll("_", "-")}=${String(values[rate])}`);
  return given.length === 0 ? "none" : given.join(",");
}
