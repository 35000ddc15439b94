#!/bin/sh
# The whole of the test guest's user space. What it prints on the serial line is what the tests believe:
#   GUEST-READY                                     once, when everything below is in place
#   cpus=2 MemTotal: 480000 kB MemFree: 400000 kB   each second, and at once when a CPU or a block of memory came or went
#   GUEST-POWEROFF                                  the power button was pressed
# Words on the kernel's command line make it a worse guest:
#   qmpctl.balloon=off         never loads the balloon driver
#   qmpctl.powerbutton=ignore  does nothing when the power button is pressed
#   qmpctl.online=off          leaves plugged CPUs and memory offline
#   qmpctl.unplug=refuse       refuses to let go of CPUs and memory
#   qmpctl.agent=off           never starts its guest agent
#   qmpctl.disk=on             has a disk with a file system, so that its agent can freeze it
#   qmpctl.drives=on           works virtio disks and SCSI drives: GUEST-DISK vda 2048 is its name, and its size in sectors of 512 bytes
# Lines on its serial line do so while it runs; each is answered by GUEST-DID and the line:
#   unplug refuse              refuses to let go of CPUs and memory from now on
#   unplug allow               lets go of them again
#   hold 100                   keeps 100 MiB more of memory that nobody can have
#   release                    gives back all that it keeps
#   door hold                  uses the medium in its drive, and gives it up if it is asked for
#   door keep                  uses it, and keeps it
#   door read                  reads the first line on it: GUEST-MEDIUM and the line
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
read -r words </proc/cmdline
asked() { case " $words " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

mkfifo /pulse
exec 3<>/pulse

# Called by the kernel's own announcements, one at a time, so each CPU is brought online once, when it appears:
# doing it again while it is being ejected would bring it back.
cat >/hotplug <<'HOTPLUG'
#!/bin/sh
case $ACTION:$SUBSYSTEM in
  add:cpu) [ -e /stay-offline ] || echo 1 >"/sys$DEVPATH/online" ;;
  *:cpu | *:memory) ;;
  *:block)
    if [ "$DISK_EJECT_REQUEST" = 1 ] && [ -e /holds ]; then
      read -r holder </holds
      kill "$holder"
      eject "/dev/$DEVNAME"
    fi
    case $ACTION in add | change) read -r size <"/sys$DEVPATH/size" && echo "GUEST-DISK $DEVNAME $size" ;; esac
    exit
    ;;
  # The channel of a guest agent has got its name.
  change:virtio-ports)
    read -r name <"/sys$DEVPATH/name"
    [ "$name" = org.qemu.guest_agent.0 ] && /agent/qemu-ga -m virtio-serial -p "/dev/$DEVNAME" >/dev/null 2>&1 &
    exit
    ;;
  *) exit ;;
esac
echo >/pulse
HOTPLUG
chmod 755 /hotplug

if asked qmpctl.online=off; then
  : >/stay-offline
else
  # Movable, so that it can be taken away again.
  echo online_movable >/sys/devices/system/memory/auto_online_blocks
fi
uevent /hotplug &

# Only the guest that was built with an agent has it.
if [ -e /agent ] && ! asked qmpctl.agent=off; then echo virtio_console >>/modules/order; fi

while read -r module; do
  case $module in
    virtio_balloon) asked qmpctl.balloon=off && continue ;;
    button | evdev) asked qmpctl.powerbutton=ignore && continue ;;
    virtio_blk | scsi_common | scsi_mod | virtio_scsi | cdrom | sr_mod) asked qmpctl.drives=on || continue ;;
  esac
  insmod "/modules/$module.ko"
done </modules/order

if asked qmpctl.disk=on; then
  while read -r module; do insmod "/modules/$module.ko"; done </agent/modules
  mount -t ext4 -o loop /agent/disk /disk
fi

# A CPU that came between the kernel's start and ours was announced to nobody.
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
  [ -e "$cpu" ] && [ ! -e /stay-offline ] && read -r state <"$cpu" && [ "$state" = 0 ] && echo 1 >"$cpu"
done

unplug() { for kind in /sys/firmware/acpi/hotplug/*/enabled; do echo "$1" >"$kind"; done; }

if asked qmpctl.unplug=refuse; then unplug 0; fi

# Without this the kernel does not notice that it is asked to open a door.
asked qmpctl.drives=on && echo 200 >/sys/module/block/parameters/events_dfl_poll_msecs

# An open drive is a locked one.
door() {
  case $1 in
    read) read -r line </dev/sr0 && echo "GUEST-MEDIUM $line" ;;
    *)
      exec 5</dev/sr0
      sleep 1000000 <&5 &
      [ "$1" = hold ] && echo $! >/holds
      exec 5<&-
      ;;
  esac
}

# What lies in a tmpfs stays where it is: there is no swap.
mount -t tmpfs -o size=0 held /held
while read -r word value; do
  case "$word $value" in
    "unplug refuse") unplug 0 ;;
    "unplug allow") unplug 1 ;;
    hold\ [1-9]*) head -c $((value * 1048576)) /dev/zero >>/held/memory ;;
    "release ") : >/held/memory ;;
    "door hold" | "door keep" | "door read") door "$value" ;;
    *) continue ;;
  esac
  echo "GUEST-DID $word${value:+ $value}"
done </dev/console &

for input in /sys/class/input/event*; do
  [ -e "$input" ] || continue
  read -r name <"$input/device/name"
  [ "$name" = "Power Button" ] || continue
  { head -c 1 "/dev/input/${input##*/}" >/dev/null; echo GUEST-POWEROFF; poweroff -f; } &
done

report() {
  while read -r key value unit; do
    case $key in MemTotal:) total=$value ;; MemFree:) free=$value; break ;; esac
  done </proc/meminfo
  echo "cpus=$(nproc) MemTotal: $total kB MemFree: $free kB"
}

echo GUEST-READY
while :; do
  report
  read -r -t 1 _ <&3
done
