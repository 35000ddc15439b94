import { resolve } from "node:path";
import { formatMedium, NO_MEDIUM, parseMedium } from "../../config/medium.ts";
import type { Report } from "../../domain/change/change-report.ts";
import { change, changeOptions } from "../change.ts";
import { mayHaveOtherFiles } from "../far-files.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["change-media DOMAIN DRIVE FILE", "change-media DOMAIN DRIVE --eject"],
  section: "disks",
  summary: "put another medium into a CD or floppy drive, or take it out",
  details: [
    "`qmpctl domblklist` shows the names of the drives. FILE is raw unless its name ends in .qcow2, .vmdk, .vdi or .vhdx, or --format says what it is. If the file can't be opened, the old medium stays in.",
    "A guest that uses a medium holds the door: it is asked to open it, and waited for. --force opens it against the guest's will, which then reads errors.",
  ],
  examples: [
    ["change-media web1 cd0 /iso/debian.iso --both", "another disc, now and at the next start"],
    ["change-media web1 cd0 --eject", "no disc, now"],
    ["change-media web1 cd0 /iso/debian.iso --live --for 2h", "for two hours, then the disc before"],
  ],
  options: {
    eject: { about: "take the medium out" },
    insert: { about: "only into an empty drive" },
    update: { about: "in place of what is in it (the default)" },
    format: { about: "the format of the image in FILE", value: "raw|qcow2|..." },
    ...changeOptions,
    block: { about: "", hidden: true },
  },
  operands: { names: ["DOMAIN", "DRIVE", "FILE"], required: 2 },
  async run(call) {
    const { args } = call;
    const [, disk = "", file] = args.operands;
    const ways = (["eject", "insert", "update"] as const).filter((each) => args.flag(each));
    if (ways.length > 1) throw misuse(`--${ways.join(" and --")}: give only one`, ways.join(" "), "--eject, --insert, or neither");
    if (args.flag("eject") && file !== undefined) throw misuse(`--eject: ${file} is not put in then`, file, "--eject alone, or FILE alone");
    if (!args.flag("eject") && file === undefined) throw misuse("FILE: missing", undefined, "FILE, or --eject");
    const medium = file === undefined ? NO_MEDIUM : mediumOf(file, args.operand(0), args.text("format"), call.facade.isElsewhere === true);
    const wanted = { resource: "disk-medium", disk, medium } as const;
    return change(call, async (domain, options) => {
      if (args.flag("insert")) refuseFull(await domain.change(wanted, { ...options, dryRun: true }), disk);
      return domain.change(wanted, options);
    });
  },
});

/** The medium in a file of this folder, or what else QEMU opens. On another host are other files. @throws UsageError when it is none */
function mediumOf(file: string, domain: string, format: string | undefined, isElsewhere: boolean): string {
  if (isElsewhere && !/^([a-z][a-z0-9+-]*:|\/)/.test(file))
    throw misuse(`${file}: from here no folder of another host is known`, file, "an absolute path of that host");
  const given = isElsewhere || /^[a-z][a-z0-9+-]*:/.test(file) || mayHaveOtherFiles(domain) ? file : resolve(file);
  const text = format === undefined ? given : `${format}:${given}`;
  const medium = parseMedium(text);
  if (format !== undefined && medium?.format !== format)
    throw misuse(`--format ${format}: not a format of images`, format, "raw, qcow2, vmdk, vdi, vhdx, vpc, qcow or qed");
  return formatMedium(medium);
}

/** `--insert` is for an empty drive. @throws UsageError when a half of the change has something in it */
function refuseFull({ changes }: Report, disk: string): void {
  const full = changes
    .flatMap((each) => [each.static, each.dynamic])
    .find(({ outcome, wanted, before }) => wanted !== null && outcome !== "unchanged" && before !== null && before !== NO_MEDIUM);
  if (full !== undefined)
    throw misuse(
      `--insert: drive ${disk} has ${String(full.before)} in it`,
      String(full.before),
      "--update, which replaces it, or --eject first",
    );
}
