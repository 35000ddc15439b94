import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Writes fixtures/import/proxmox/: command lines in the form in which `qm showcmd ID --pretty` of Proxmox VE prints them, with what `qm
 * config` and `qm status` say of the same machines. There is no Proxmox here, so these are BY FORM, not recorded: which options there are,
 * their order, their values and how they are quoted is what public postings of such outputs, and the expectations of Proxmox's own tests,
 * have in common. The machines, and all of this text, are ours.
 *
 *     npx tsx scripts/proxmox-form.ts
 */
const FOLDER = new URL("../fixtures/import/proxmox/", import.meta.url).pathname;

interface Machine {
  readonly id: number;
  readonly config: readonly string[];
  readonly options: readonly (readonly string[])[];
}

/** What every machine begins with. `reconnect`: seconds before QEMU 9.2, milliseconds since. */
function head(id: number, name: string, uuid: string, reconnect: string): Machine["options"] {
  return [
    ["-id", String(id)],
    ["-name", `${name},debug-threads=on`],
    ["-no-shutdown"],
    ["-chardev", `socket,id=qmp,path=/var/run/qemu-server/${id}.qmp,server=on,wait=off`],
    ["-mon", "chardev=qmp,mode=control"],
    ["-chardev", `socket,id=qmp-event,path=/var/run/qmeventd.sock,${reconnect}`],
    ["-mon", "chardev=qmp-event,mode=control"],
    ["-pidfile", `/var/run/qemu-server/${id}.pid`],
    ["-daemonize"],
    ["-smbios", `type=1,uuid=${uuid}`],
  ];
}

const TAIL: Machine["options"] = [
  ["-nodefaults"],
  ["-boot", "menu=on,strict=on,reboot-timeout=1000,splash=/usr/share/qemu-server/bootsplash.jpg"],
];

const BRIDGES: Machine["options"] = [
  ["-device", "pci-bridge,id=pci.1,chassis_nr=1,bus=pci.0,addr=0x1e"],
  ["-device", "pci-bridge,id=pci.2,chassis_nr=2,bus=pci.0,addr=0x1f"],
];

const PARTS: Machine["options"] = [
  ["-device", "piix3-usb-uhci,id=uhci,bus=pci.0,addr=0x1.0x2"],
  ["-device", "usb-tablet,id=tablet,bus=uhci.0,port=1"],
  ["-device", "VGA,id=vga,bus=pci.0,addr=0x2"],
];

function net(id: number, mac: string, where: string): Machine["options"] {
  const scripts = `script=${where}/pve-bridge,downscript=${where}/pve-bridgedown`;
  return [
    ["-netdev", `type=tap,id=net0,ifname=tap${id}i0,${scripts},vhost=on`],
    ["-device", `virtio-net-pci,mac=${mac},netdev=net0,bus=pci.0,addr=0x12,id=net0,rx_queue_size=1024,tx_queue_size=256,bootindex=102`],
  ];
}

/** `kvm: 0`, so that it can be tried without KVM; a disk by -drive, as before Proxmox VE 9. */
const OLDER: Machine = {
  id: 101,
  config: [
    "agent: 1",
    "balloon: 256",
    "boot: order=scsi0;net0",
    "cores: 2",
    "cpulimit: 1.5",
    "kvm: 0",
    "memory: 512",
    "meta: creation-qemu=8.1.5,ctime=1700000000",
    "name: mail-1",
    "net0: virtio=BC:24:11:0A:0B:01,bridge=vmbr0,firewall=1,tag=12",
    "onboot: 1",
    "scsi0: local:101/vm-101-disk-0.raw,size=16M",
    "scsihw: virtio-scsi-single",
    "smbios1: uuid=6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7b01",
    "sockets: 2",
    "vcpus: 3",
  ],
  options: [
    ...head(101, "mail-1", "6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7b01", "reconnect=5"),
    ["-smp", "1,sockets=2,cores=2,maxcpus=4"],
    ["-device", "qemu64-x86_64-cpu,id=cpu2,socket-id=0,core-id=1,thread-id=0"],
    ["-device", "qemu64-x86_64-cpu,id=cpu3,socket-id=1,core-id=0,thread-id=0"],
    ...TAIL,
    ["-vnc", "unix:/var/run/qemu-server/101.vnc,password=on"],
    ["-cpu", "qemu64"],
    ["-m", "512"],
    ["-object", "iothread,id=iothread-virtioscsi0"],
    ...BRIDGES,
    ["-device", "pci-bridge,id=pci.3,chassis_nr=3,bus=pci.0,addr=0x5"],
    ["-device", "vmgenid,guid=6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7bff"],
    ...PARTS,
    ["-chardev", "socket,path=/var/run/qemu-server/101.qga,server=on,wait=off,id=qga0"],
    ["-device", "virtio-serial,id=qga0,bus=pci.0,addr=0x8"],
    ["-device", "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0"],
    ["-device", "virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on"],
    ["-iscsi", "initiator-name=iqn.1993-08.org.debian:01:0123456789ab"],
    ["-device", "virtio-scsi-pci,id=virtioscsi0,bus=pci.3,addr=0x1,iothread=iothread-virtioscsi0"],
    ["-drive", "file=/var/lib/vz/images/101/vm-101-disk-0.raw,if=none,id=drive-scsi0,format=raw,cache=none,aio=threads,detect-zeroes=on"],
    ["-device", "scsi-hd,bus=virtioscsi0.0,channel=0,scsi-id=0,lun=0,drive=drive-scsi0,id=scsi0,bootindex=100"],
    ...net(101, "BC:24:11:0A:0B:01", "/var/lib/qemu-server"),
    ["-machine", "accel=tcg,smm=off,type=pc-i440fx-7.2+pve0"],
  ],
};

/** NUMA with DIMMs, a disk by -blockdev with a throttle group, a TPM, as since Proxmox VE 9. */
const NEWER: Machine = {
  id: 8002,
  config: [
    "cores: 2",
    "hotplug: memory,cpu,disk,network",
    "memory: 2048",
    "name: db",
    "net0: virtio=BC:24:11:0A:0B:02,bridge=vmbr1",
    "numa: 1",
    "smbios1: uuid=6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7b02",
    "sockets: 1",
    "tpmstate0: local-lvm:vm-8002-disk-1,size=4M,version=v2.0",
    "virtio0: local:8002/vm-8002-disk-0.qcow2,size=32G",
  ],
  options: [
    ...head(8002, "db", "6a0c1c9e-4f6e-4a5e-8a53-0d2f9e0b7b02", "reconnect-ms=5000"),
    ["-smp", "2,sockets=1,cores=2,maxcpus=2"],
    ...TAIL,
    ["-vnc", "unix:/var/run/qemu-server/8002.vnc,password=on"],
    ["-cpu", "kvm64,enforce,+kvm_pv_eoi,+kvm_pv_unhalt,+lahf_lm,+sep"],
    ["-m", "size=1024,slots=255,maxmem=524288M"],
    ["-object", "memory-backend-ram,id=ram-node0,size=1024M"],
    ["-numa", "node,nodeid=0,cpus=0-1,memdev=ram-node0"],
    ["-object", "memory-backend-ram,id=mem-dimm0,size=512M"],
    ["-device", "pc-dimm,id=dimm0,memdev=mem-dimm0,node=0"],
    ["-object", "memory-backend-ram,id=mem-dimm1,size=512M"],
    ["-device", "pc-dimm,id=dimm1,memdev=mem-dimm1,node=0"],
    ["-object", '{"id":"throttle-drive-virtio0","limits":{},"qom-type":"throttle-group"}'],
    ["-global", "PIIX4_PM.disable_s3=1"],
    ["-global", "PIIX4_PM.disable_s4=1"],
    ...BRIDGES,
    ["-chardev", "socket,id=tpmchar,path=/var/run/qemu-server/8002.swtpm"],
    ["-tpmdev", "emulator,id=tpmdev,chardev=tpmchar"],
    ["-device", "tpm-tis,tpmdev=tpmdev"],
    ...PARTS,
    ["-device", "virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3,free-page-reporting=on"],
    ["-iscsi", "initiator-name=iqn.1993-08.org.debian:01:0123456789ab"],
    [
      "-blockdev",
      JSON.stringify({
        driver: "throttle",
        file: {
          cache: { direct: true, "no-flush": false },
          driver: "qcow2",
          file: { aio: "io_uring", driver: "file", filename: "/var/lib/vz/images/8002/vm-8002-disk-0.qcow2", "node-name": "e0123456789" },
          "node-name": "f0123456789",
          "read-only": false,
        },
        "node-name": "drive-virtio0",
        "throttle-group": "throttle-drive-virtio0",
      }),
    ],
    ["-device", "virtio-blk-pci,drive=drive-virtio0,id=virtio0,bus=pci.0,addr=0xa,bootindex=100,write-cache=on"],
    ...net(8002, "BC:24:11:0A:0B:02", "/usr/libexec/qemu-server"),
    ["-machine", "hpet=off,type=pc+pve0"],
  ],
};

/** A word as it is quoted there: in single quotes, unless it has nothing that a shell would see. */
function quoted(word: string): string {
  return /^[\w+\-./:,@%]+$/.test(word) && !word.includes("=") ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

await mkdir(FOLDER, { recursive: true });
for (const { id, config, options } of [OLDER, NEWER]) {
  const lines = ["/usr/bin/kvm", ...options.map((option) => `  ${option.map(quoted).join(" ")}`)];
  await writeFile(join(FOLDER, `${id}.showcmd`), `${lines.join(" \\\n")}\n`);
  await writeFile(join(FOLDER, `${id}.config`), `${config.join("\n")}\n`);
}
