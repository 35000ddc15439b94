import type { ImportSource } from "../../domain/lifecycle/import/import-source.ts";
import { printAs } from "../answer.ts";
import { EXIT } from "../exit-code.ts";
import { readInput } from "../input.ts";
import { type Arguments, misuse } from "../options.ts";
import { flow, noteLine } from "../output.ts";
import { type Call, defineVerb, type Verb } from "../verb.ts";

type Words = "connect" | "xml" | "from-file" | "name";
type Flags = "replace" | "force" | "dry-run";

export const verb: Verb = defineVerb({
  usage: ["import libvirt NAME", "import libvirt --xml FILE", "import proxmox ID", "import libvirt|proxmox --from-file FILE"],
  section: "domains",
  summary: "make a domain of a machine of libvirt's or Proxmox's",
  details: [
    "Its owner's own converter says how the machine is started: virsh domxml-to-native, or qm showcmd. What can't live without that owner (its monitor, its sockets, interfaces that it opens) is replaced or left out, with a line on each that says why.",
    "The domain is defined, and does not run. The owner's machine is not touched: its own config is still there, and must not start it any more. While it runs there, it is refused: two machines would write the same disks.",
    "--from-file reads what the converter printed on another host; - is standard input. Then only this host's processes tell whether the machine runs.",
    "With -H HOST the owner is asked on that host, and the domain is defined there; FILE is read here.",
  ],
  examples: [
    ["import libvirt web1 --dry-run", "show the config and what is replaced, and write nothing"],
    ["import proxmox 101 --name web1", "under another name"],
  ],
  options: {
    connect: { about: "libvirt's address, as qemu:///system", value: "URI", short: "c" },
    xml: { about: "a domain's XML in place of a domain that libvirt knows", value: "FILE" },
    "from-file": { about: "what the converter printed; -: standard input", value: "FILE" },
    name: { about: "the name of the domain here", value: "NAME" },
    replace: { about: "overwrite a config of that name, if there is one" },
    force: { about: "also while the machine runs there" },
    "dry-run": { about: "show the config, and write nothing" },
  },
  operands: { names: ["libvirt|proxmox", "NAME"], required: 1 },
  async run(call) {
    const { args, io, facade } = call;
    const source = await sourceOf(call);
    const [name, dryRun] = [args.text("name"), args.flag("dry-run")];
    const flags = { replace: args.flag("replace"), force: args.flag("force"), dryRun };
    const made = await facade.takeOver(source, { ...(name === undefined ? {} : { name }), ...flags, signal: io.signal });
    printAs(call, { ...made, config: JSON.parse(made.config) as unknown }, ({ path, notes }) => {
      const { columns } = io.stdout;
      const first = path === null ? made.config : flow(`${made.name}: defined in ${path}`, columns);
      return [first, ...notes.map((note) => noteLine(note, columns))].join("");
    });
    return EXIT.done;
  },
});

const EXPECTED = "libvirt NAME, libvirt --xml FILE, proxmox ID, or --from-file FILE";

async function sourceOf({ args, io, readText }: Call<Flags, Words>): Promise<ImportSource> {
  const [from, what] = args.operands;
  if (from !== "libvirt" && from !== "proxmox") throw misuse(`${from ?? ""}: nobody to import from`, from, "libvirt or proxmox");
  const [xml, file] = [args.text("xml"), args.text("from-file")];
  const given = [what, xml, file].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw misuse(`import ${from}: ${given.length === 0 ? "the machine is missing" : "more than one source"}`, given.length, EXPECTED);
  refuseOfOther(from, args);
  const textOf = async (path: string): Promise<string> =>
    path === "-" ? readInput(io.stdin) : (readText ?? (await import("../../config/safe-file.ts")).readBoundedText)(path);
  if (file !== undefined) return { from, text: await textOf(file), file: file === "-" ? "standard input" : file };
  if (from === "proxmox") return { from, id: what ?? "" };
  const connect = args.text("connect");
  const at = connect === undefined ? {} : { connect };
  return xml === undefined ? { from, name: what ?? "", ...at } : { from, xml: await textOf(xml), ...at };
}

/** Refuses options that say nothing of this owner, or of a file. */
function refuseOfOther(from: string, args: Arguments<Flags, Words>): void {
  for (const option of ["xml", "connect"] as const) {
    if (args.text(option) === undefined) continue;
    if (from === "proxmox") throw misuse(`--${option}: is of libvirt`, option, "import libvirt");
    if (args.text("from-file") !== undefined)
      throw misuse(`--${option}: says nothing of a file that the converter printed`, option, "one of both");
  }
}
