/** One entry of an initial RAM disk. A folder has neither `data` nor `link`. */
export interface CpioEntry {
  readonly name: string;
  readonly data?: Uint8Array;
  readonly link?: string;
}

const FOLDER = 0o040755;
const PROGRAM = 0o100755;
const LINK = 0o120777;

/** An archive in the "newc" format of cpio, which the Linux kernel unpacks (Documentation/driver-api/early-userspace/buffer-format). */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => record(index + 1, entry.name, modeOf(entry), contentOf(entry)));
  return Buffer.concat([...parts, ...record(0, "TRAILER!!!", 0, Buffer.alloc(0))]);
}

function modeOf(entry: CpioEntry): number {
  if (entry.link !== undefined) return LINK;
  return entry.data === undefined ? FOLDER : PROGRAM;
}

function contentOf(entry: CpioEntry): Uint8Array {
  return entry.link === undefined ? (entry.data ?? Buffer.alloc(0)) : Buffer.from(entry.link);
}

function record(inode: number, name: string, mode: number, content: Uint8Array): Uint8Array[] {
  const nameWithEnd = Buffer.from(`${name}\0`);
  const links = 1;
  // inode, mode, uid, gid, links, mtime, size, device (2), rdevice (2), length of the name, checksum (unused)
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, nameWithEnd.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return [head, nameWithEnd, padding(head.length + nameWithEnd.length), content, padding(content.length)];
}

function padding(length: number): Uint8Array {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
