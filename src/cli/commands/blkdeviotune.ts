import { type DiskLimits, formatLimits, LIMIT_KEYS, type LimitKey, numberOf } from "../../config/disk-limits.ts";
import type { DiskInfo } from "../../domain/views/disks.ts";
import { printAs } from "../answer.ts";
import { change, changeOptions } from "../change.ts";
import { timeoutOf } from "../duration.ts";
import { EXIT } from "../exit-code.ts";
import { misuse, type Option } from "../options.ts";
import { painter, table } from "../output.ts";
import { sayUnreachable } from "../showing.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

/** The names that older programs give to the rates. */
const OLDER = {
  iops: "total-iops-sec",
  "iops-rd": "read-iops-sec",
  "iops-wr": "write-iops-sec",
  bps: "total-bytes-sec",
  "bps-rd": "read-bytes-sec",
  "bps-wr": "write-bytes-sec",
} as const;

const ABOUT: Readonly<Record<string, string>> = {
  iops: "operations a second",
  "iops-max": "operations a second in a burst; each limit has a -max",
  "iops-max-length": "seconds that a burst may take (default: 1); each limit has a -max-length",
  "iops-rd": "reads a second",
  "iops-wr": "writes a second",
  "iops-size": "bytes that count as one operation of a larger one",
  bps: "bytes a second, as 10M or 10485760",
  "bps-rd": "bytes read a second",
  "bps-wr": "bytes written a second",
};

/** The name that an older program gives to a limit. */
function olderName(key: LimitKey): string {
  if (key === "iops-size") return "size-iops-sec";
  const [rate = "iops"] = /^(iops|bps)(-rd|-wr)?/.exec(key) ?? [];
  return `${OLDER[rate as keyof typeof OLDER]}${key.slice(rate.length)}`;
}

type LimitOption = Option & { readonly value: string };

const own = Object.fromEntries(
  LIMIT_KEYS.map((key): [LimitKey, LimitOption] => [
    key,
    {
      about: ABOUT[key] ?? "",
      value: key.endsWith("-length") ? "SECONDS" : key.startsWith("bps") ? "SIZE" : "COUNT",
      ...(key.endsWith("-length") ? {} : { kind: key.startsWith("bps") ? "RATE-SIZE" : "RATE" }),
      ...(ABOUT[key] === undefined ? { hidden: true } : {}),
    },
  ]),
) as { readonly [K in LimitKey]: LimitOption };
const older = Object.fromEntries(LIMIT_KEYS.map((key) => [olderName(key), { about: "", value: "NUMBER", hidden: true } as const]));

export const verb: Verb = defineVerb({
  usage: ["blkdeviotune DOMAIN DISK --LIMIT NUMBER...", "blkdeviotune DOMAIN DISK LIMITS", "blkdeviotune DOMAIN [DISK]"],
  section: "disks",
  summary: "limit what a disk may do in a second, or show the limits",
  details: [
    "The limits that are given replace those that the disk has. LIMITS is the same in one word: iops=100,bps=10M. none removes them all. `qmpctl domblklist` shows the names of the disks.",
    "Disks of one --group share one set of limits: a change of them is one for all disks of the group.",
  ],
  examples: [
    ["blkdeviotune web1 disk0", "show the limits of a disk"],
    ["blkdeviotune web1 disk0 --iops 100 --bps 10M --both", "100 operations and 10 MiB a second, now and at the next start"],
    ["blkdeviotune web1 disk0 none", "no limits, now"],
    ["blkdeviotune web1 disk0 --bps 10M --live --for 8h", "10 MiB a second, for eight hours"],
  ],
  options: {
    ...own,
    group: { about: "share the limits with the other disks of this group", value: "GROUP" },
    "group-name": { about: "", value: "GROUP", hidden: true },
    ...(older as Readonly<Record<"total-iops-sec", LimitOption>>),
    ...changeOptions,
  },
  operands: { names: ["DOMAIN", "DISK", "LIMITS"], required: 1 },
  async run(call) {
    const [, disk, text] = call.args.operands;
    const given = limitsOf(call as unknown as Call);
    if (text !== undefined && given !== undefined) throw misuse(`${text}: limits are given by options too`, text, "LIMITS, or options");
    const limits = text ?? given;
    if (limits === undefined) return show(call, disk);
    if (disk === undefined) throw misuse("DISK: missing", undefined, "DISK");
    return change(call, (domain, options) => domain.change({ resource: "disk-throttle", disk, limits }, options));
  },
});

/** The limits that options give, in one text; undefined where there are none. */
function limitsOf({ args }: Call): string | undefined {
  const group = args.text("group") ?? args.text("group-name");
  const entries = LIMIT_KEYS.flatMap((key): readonly (readonly [LimitKey, number])[] => {
    const value = args.text(key) ?? args.text(olderName(key));
    return value === undefined ? [] : [[key, numberOf(key, value)]];
  });
  if (entries.length === 0 && group !== undefined) throw misuse(`--group ${group}: a group needs limits`, group, "a limit, as --iops 100");
  // A length of 1, or a limit of 0, says nothing in a text, and is no mistake.
  return entries.length === 0
    ? undefined
    : formatLimits({ ...(Object.fromEntries(entries) as DiskLimits), ...(group === undefined ? {} : { group }) });
}

async function show(call: Call<never, "timeout">, wanted: string | undefined): Promise<number> {
  const { args, io, facade } = call;
  const options = { ...timeoutOf(args), signal: io.signal };
  await using domain = await facade.open(args.operand(0));
  const all = await domain.disks(options);
  const disks = wanted === undefined ? all : all.filter(({ disk }) => disk === wanted);
  if (disks.length === 0 && wanted !== undefined && all.length > 0)
    throw misuse(`disk ${wanted}: ${domain.name} has no such disk`, wanted, all.map(({ disk }) => disk ?? "-").join(", "));
  const paint = painter(io.stdout, io.env);
  printAs(call, disks, (them) => table(them.map(row), { header: ["disk", "config", "live"], paint, columns: io.stdout.columns }));
  return all.some(({ live }) => live !== null) ? EXIT.done : await sayUnreachable(domain, io, options);
}

function row({ disk, config, live }: DiskInfo): string[] {
  return [disk ?? "-", config ?? "-", live ?? "-"];
}
