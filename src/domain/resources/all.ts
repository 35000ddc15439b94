/**
 * The registry: one line for each resource whose allocation can be changed, under its name. What there is to know of it is in its file; the
 * plan, the journal, reports, diff, revert, persist, allocation files, help and completion go over this list.
 * The command line loads each file when its resource is first asked for (`scripts/build/layers.ts`).
 */
export { device } from "./device.ts";
export { diskMedium as "disk-medium" } from "./disk-medium.ts";
export { diskSize as "disk-size" } from "./disk-size.ts";
export { diskThrottle as "disk-throttle" } from "./disk-throttle.ts";
export { cpuQuota as "cpu-quota" } from "./cpu-quota.ts";
export { cpuWeight as "cpu-weight" } from "./cpu-weight.ts";
export { dimm } from "./dimm.ts";
export { emulatorPin as "emulator-pin" } from "./emulator-pin.ts";
export { emulatorSched as "emulator-sched" } from "./emulator-sched.ts";
export { guestVcpus as "guest-vcpus" } from "./guest-vcpus.ts";
export { iothread } from "./iothread-presence.ts";
export { iothreadPin as "iothread-pin" } from "./iothread-pin.ts";
export { iothreadSched as "iothread-sched" } from "./iothread-sched.ts";
export { iothreadSet as "iothread-set" } from "./iothread-set.ts";
export { maxMemory as "max-memory" } from "./max-memory.ts";
export { maxVcpus as "max-vcpus" } from "./max-vcpus.ts";
export { memory } from "./memory.ts";
export { memoryPlugged as "memory-plugged" } from "./virtio-mem.ts";
export { memoryPeriod as "memory-period" } from "./memory-period.ts";
export { vcpuPin as "vcpu-pin" } from "./vcpu-pin.ts";
export { vcpuSched as "vcpu-sched" } from "./vcpu-sched.ts";
export { vcpus } from "./vcpus.ts";
export { vcpusOnline as "vcpus-online" } from "./vcpus-online.ts";
export { vhostPin as "vhost-pin" } from "./vhost-pin.ts";
