import { formatSize } from "../../config/size.ts";
import type { DiskInfo } from "../../domain/views/disks.ts";
import { domainOnly, waitOption } from "../lifecycle.ts";
import { painter, table } from "../output.ts";
import { showing } from "../showing.ts";
import { defineVerb, type Verb } from "../verb.ts";

export const verb: Verb = defineVerb({
  usage: ["domblklist DOMAIN"],
  section: "disks",
  summary: "show each disk: file, format, size, what is in a drive, limits",
  details: [
    "Of a running machine this is what QEMU says, of a stopped one what the args of its config say. The first column is the name that other verbs take.",
  ],
  examples: [
    ["domblklist web1", "show them"],
    ["domblklist web1 --json", "the same for a program"],
  ],
  options: { ...waitOption("how long the machine may take to answer"), details: { about: "", hidden: true } },
  operands: domainOnly,
  run: (call) =>
    showing(call, {
      read: (domain, options) => domain.disks(options),
      draw: (them) => {
        const paint = painter(call.io.stdout, call.io.env);
        return table(them.map(row), { header, right: [3], paint, columns: call.io.stdout.columns });
      },
      isLive: (them) => them.some(({ qdev, live }) => qdev !== null || live !== null),
    }),
});

const header = ["disk", "node", "format", "size", "mode", "limits", "file"];

function row(disk: DiskInfo): string[] {
  const { node, format, size, file, live, config } = disk;
  return [
    disk.disk ?? "-",
    node ?? "-",
    format ?? "-",
    size === null ? "-" : formatSize(size),
    modeOf(disk),
    live ?? config ?? "-",
    file ?? "-",
  ];
}

function modeOf({ readOnly, removable, trayOpen }: DiskInfo): string {
  const words = [
    ...(readOnly === null ? [] : [readOnly ? "ro" : "rw"]),
    ...(removable ? ["removable"] : []),
    ...(trayOpen === true ? ["tray open"] : []),
  ];
  return words.length === 0 ? "-" : words.join(", ");
}
