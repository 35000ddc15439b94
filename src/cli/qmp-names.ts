/** Events that a machine sends now and then, for completion. */
export const EVENTS: readonly string[] = [
  ...["ACPI_DEVICE_OST", "BALLOON_CHANGE", "BLOCK_IMAGE_CORRUPTED", "BLOCK_IO_ERROR", "BLOCK_JOB_CANCELLED", "BLOCK_JOB_COMPLETED"],
  ...["BLOCK_JOB_ERROR", "BLOCK_JOB_READY", "BLOCK_WRITE_THRESHOLD", "DEVICE_DELETED", "DEVICE_TRAY_MOVED", "DEVICE_UNPLUG_GUEST_ERROR"],
  ...["GUEST_CRASHLOADED", "GUEST_PANICKED", "JOB_STATUS_CHANGE", "MEMORY_DEVICE_SIZE_CHANGE", "MIGRATION", "NIC_RX_FILTER_CHANGED"],
  ...["POWERDOWN", "RESET", "RESUME", "RTC_CHANGE", "SHUTDOWN", "STOP", "SUSPEND", "SUSPEND_DISK", "VNC_CONNECTED"],
  ...["VNC_DISCONNECTED", "VSERPORT_CHANGE", "WAKEUP", "WATCHDOG"],
];

/** Commands of QMP that only ask, for completion: a TAB asks no machine. The shell on the monitor completes them all. */
export const QUESTIONS: readonly string[] = [
  ...["query-balloon", "query-block", "query-block-jobs", "query-blockstats", "query-chardev", "query-cpus-fast"],
  ...["query-hotpluggable-cpus", "query-iothreads", "query-jobs", "query-machines", "query-memdev", "query-memory-devices"],
  ...["query-memory-size-summary", "query-migrate", "query-name", "query-named-block-nodes", "query-pci", "query-rx-filter"],
  ...["query-status", "query-uuid", "query-version", "query-vnc", "qom-get", "qom-list"],
];
