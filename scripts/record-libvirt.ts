import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { missingForLibvirtd, startLibvirtd } from "./lab/libvirtd.ts";

/**
 * Records what a real libvirt makes of the domains in fixtures/import/libvirt/*.xml: NAME.argv is what `virsh domxml-to-native qemu-argv`
 * prints, NAME.dumpxml what `virsh dumpxml --inactive`. It starts a libvirtd of its own; takes root, and Debian's libvirt.
 *
 *     npx tsx scripts/record-libvirt.ts
 */
const FOLDER = new URL("../fixtures/import/libvirt/", import.meta.url).pathname;

const missing = await missingForLibvirtd();
if (missing !== undefined) throw new Error(`missing: ${missing}`);
await using libvirtd = await startLibvirtd();
for (const file of (await readdir(FOLDER)).filter((name) => name.endsWith(".xml"))) {
  const name = file.replace(/\.xml$/, "");
  await libvirtd.virsh("define", join(FOLDER, file));
  await writeFile(join(FOLDER, `${name}.argv`), await libvirtd.virsh("domxml-to-native", "qemu-argv", "--domain", name));
  await writeFile(join(FOLDER, `${name}.dumpxml`), await libvirtd.virsh("dumpxml", "--inactive", name));
}
