import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { anchor, fromFolder } from "../../src/config/anchor.ts";
import { ownFolder } from "./folder.ts";

const words = (...args: readonly string[]): readonly string[] => anchor(["qemu", ...args], "/w").argv.slice(1);

describe("paths of a command line are meant from a folder", () => {
  test.each([
    ["-kernel", "vmlinuz", "/w/vmlinuz"],
    ["--initrd", "boot/rd", "/w/boot/rd"],
    ["-L", "pc-bios", "/w/pc-bios"],
    ["-D", "log,txt", "/w/log,txt"],
    ["-writeconfig", "out.cfg", "/w/out.cfg"],
    ["-writeconfig", "-", "-"],
    ["-hda", "d.img", "/w/d.img"],
    ["-hda", "nbd:host:10809", "nbd:host:10809"],
    ["-cdrom", "fat:rw:dir", "fat:rw:/w/dir"],
    ["-cdrom", "file:a.iso", "file:/w/a.iso"],
    ["-cdrom", "blkdebug:cfg:a.iso", "blkdebug:/w/cfg:/w/a.iso"],
    [
      "-hda",
      'json:{"driver":"qcow2","file":{"driver":"file","filename":"d.img"}}',
      'json:{"driver":"qcow2","file":{"driver":"file","filename":"/w/d.img"}}',
    ],
    ["-hda", "./a:b.img", "/w/a:b.img"],
    ["-drive", "file=a,,b.img,if=virtio,format=raw", "file=/w/a,,b.img,if=virtio,format=raw"],
    [
      "-drive",
      "if=none,driver=qcow2,file.filename=d.img,backing.file.filename=base.img",
      "if=none,driver=qcow2,file.filename=/w/d.img,backing.file.filename=/w/base.img",
    ],
    ["-blockdev", "file,filename=d.img,node-name=d", "file,filename=/w/d.img,node-name=d"],
    ["-blockdev", "qcow2,file=d,node-name=q", "qcow2,file=d,node-name=q"],
    ["-blockdev", "nbd,server.type=unix,server.path=n.sock,node-name=n", "nbd,server.type=unix,server.path=/w/n.sock,node-name=n"],
    ["-blockdev", "ssh,path=remote.img,node-name=s", "ssh,path=remote.img,node-name=s"],
    [
      "-blockdev",
      '{"driver": "file", "filename": "d.img", "node-name": "x"}',
      '{"driver": "file", "filename": "/w/d.img", "node-name": "x"}',
    ],
    [
      "-blockdev",
      '{"driver":"raw","file":{"driver":"file","filename":"../d.img"}}',
      '{"driver":"raw","file":{"driver":"file","filename":"/d.img"}}',
    ],
    ["-chardev", "file,id=c,path=out.log,logfile=l.log", "file,id=c,path=/w/out.log,logfile=/w/l.log"],
    ["-chardev", "socket,id=c,path=s.sock,server=on", "socket,id=c,path=/w/s.sock,server=on"],
    ["-chardev", "socket,id=c,path=name,abstract=on", "socket,id=c,path=name,abstract=on"],
    ["-chardev", "stdio,id=c,logfile=l.log", "stdio,id=c,logfile=/w/l.log"],
    ["-serial", "file:a,b.log", "file:/w/a,b.log"],
    ["-serial", "mon:unix:s.sock,server=on", "mon:unix:/w/s.sock,server=on"],
    ["-serial", "tcp:localhost:1", "tcp:localhost:1"],
    ["-serial", "stdio", "stdio"],
    ["-qmp", "unix:q.sock,server=on,wait=off", "unix:/w/q.sock,server=on,wait=off"],
    ["-monitor", "chardev:mon", "chardev:mon"],
    ["-netdev", "tap,id=n,script=up.sh,downscript=no", "tap,id=n,script=/w/up.sh,downscript=no"],
    ["-netdev", "user,id=n,tftp=t,bootfile=pxe.0,smb=s", "user,id=n,tftp=/w/t,bootfile=pxe.0,smb=/w/s"],
    ["-netdev", "stream,id=n,addr.type=unix,addr.path=p.sock", "stream,id=n,addr.type=unix,addr.path=/w/p.sock"],
    [
      "-netdev",
      '{"type":"dgram","id":"n","local":{"type":"unix","path":"l"},"remote":{"type":"inet","host":"h","port":"1"}}',
      '{"type":"dgram","id":"n","local":{"type":"unix","path":"/w/l"},"remote":{"type":"inet","host":"h","port":"1"}}',
    ],
    ["-fsdev", "local,id=f,path=share,security_model=none", "local,id=f,path=/w/share,security_model=none"],
    ["-virtfs", "local,path=share,mount_tag=t,security_model=none", "local,path=/w/share,mount_tag=t,security_model=none"],
    ["-object", "memory-backend-file,id=m,size=1G,mem-path=mem", "memory-backend-file,id=m,size=1G,mem-path=/w/mem"],
    ["-object", "tls-creds-x509,id=t,dir=pki,endpoint=server", "tls-creds-x509,id=t,dir=/w/pki,endpoint=server"],
    ["-object", '{"qom-type":"secret","id":"s","file":"key"}', '{"qom-type":"secret","id":"s","file":"/w/key"}'],
    ["-object", "filter-mirror,id=f,netdev=n,outdev=file", "filter-mirror,id=f,netdev=n,outdev=file"],
    ["-device", "loader,file=fw.bin,addr=0", "loader,file=/w/fw.bin,addr=0"],
    ["-device", "virtio-net-pci,romfile=", "virtio-net-pci,romfile="],
    ["-device", "virtio-blk-pci,drive=d", "virtio-blk-pci,drive=d"],
    ["-machine", "q35,kernel=k,accel=tcg", "q35,kernel=/w/k,accel=tcg"],
    ["-fw_cfg", "opt/x,file=x.txt", "opt/x,file=/w/x.txt"],
    ["-fw_cfg", "name=opt/x,string=x.txt", "name=opt/x,string=x.txt"],
    ["-smbios", "type=1,uuid=a/b", "type=1,uuid=a/b"],
    ["-acpitable", "file=a:b", "file=/w/a:/w/b"],
    ["-set", "drive.d.file=x.img", "drive.d.file=/w/x.img"],
    ["-icount", "shift=1,rr=record,rrfile=r", "shift=1,rr=record,rrfile=/w/r"],
    ["-vnc", "unix:v.sock,password=on", "unix:/w/v.sock,password=on"],
    ["-vnc", ":1", ":1"],
    ["-append", "root=/dev/vda init=x.sh", "root=/dev/vda init=x.sh"],
    ["-name", "a/b", "a/b"],
    ["-cpu", "max", "max"],
  ])("%s %s", (option, given, wanted) => {
    expect(words(option, given)).toEqual([option, wanted]);
    // What is absolute stays, to the letter.
    expect(words(option, wanted)).toEqual([option, wanted]);
  });

  test("also those of bare words and of the emulator, which is no path where it is a name", () => {
    expect(anchor(["build/qemu", "-snapshot", "disk.img", "-kernel", "/k"], "/w")).toEqual({
      argv: ["/w/build/qemu", "-snapshot", "/w/disk.img", "-kernel", "/k"],
      relative: ["build/qemu", "disk.img"],
    });
    expect(anchor(["qemu"], "/w").argv).toEqual(["qemu"]);
  });

  test("a file that QEMU also looks for in its own folders is made absolute only if it is here", async () => {
    const folder = await ownFolder();
    await writeFile(join(folder, "bios.bin"), "");
    expect(anchor(["q", "-bios", "bios.bin", "-bios", "seabios.bin", "-device", "e1000,romfile=bios.bin"], folder).argv.slice(1)).toEqual([
      "-bios",
      `${folder}/bios.bin`,
      "-bios",
      "seabios.bin",
      "-device",
      `e1000,romfile=${folder}/bios.bin`,
    ]);
  });

  test("what goes up behind a link goes up from where the link leads, as for the kernel", async () => {
    const folder = await ownFolder();
    await mkdir(join(folder, "a", "b"), { recursive: true });
    await symlink("a/b", join(folder, "link"));
    expect(fromFolder(folder, "link/../x")).toBe(`${folder}/link/../x`);
    expect(fromFolder("/a/b", "../.././c")).toBe("/c");
    expect(fromFolder("/a/b", "..")).toBe("/a");
  });
});
