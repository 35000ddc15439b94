/**
 * The registry: one line for each resource whose allocation can be changed. What there is to know of it is in its file; the plan, the
 * journal, reports, diff, revert, persist, allocation files, help and completion go over this list.
 */
export { device } from "./device.ts";
export { diskThrottle } from "./disk-throttle.ts";
export { cpuQuota } from "./cpu-quota.ts";
export { cpuWeight } from "./cpu-weight.ts";
export { dimm } from "./dimm.ts";
export { emulatorPin } from "./emulator-pin.ts";
export { emulatorSched } from "./emulator-sched.ts";
export { guestVcpus } from "./guest-vcpus.ts";
export { iothread } from "./iothread-presence.ts";
export { iothreadPin } from "./iothread-pin.ts";
export { iothreadSched } from "./iothread-sched.ts";
export { iothreadSet } from "./iothread-set.ts";
export { maxMemory } from "./max-memory.ts";
export { maxVcpus } from "./max-vcpus.ts";
export { memory } from "./memory.ts";
export { memoryPlugged } from "./virtio-mem.ts";
export { memoryPeriod } from "./memory-period.ts";
export { vcpuPin } from "./vcpu-pin.ts";
export { vcpuSched } from "./vcpu-sched.ts";
export { vcpus } from "./vcpus.ts";
export { vcpusOnline } from "./vcpus-online.ts";
export { vhostPin } from "./vhost-pin.ts";
