import { readdir } from "node:fs/promises";
import { kernelFileIfThere } from "./kernel-file.ts";
import { type Thread, threadsOf } from "./threads.ts";

/**
 * The threads that serve a QEMU's vhost devices. Since Linux 6.4 they are threads of the process; before it, and again where an
 * administrator wants that, they are kernel threads. Either is called `vhost-TID` after the thread that opened the device, which is the
 * process's first one as a rule (the kernel's drivers/vhost/vhost.c).
 */
export async function vhostThreadsOf(pid: number): Promise<readonly Thread[]> {
  const threads = await threadsOf(pid);
  const own = threads.filter(({ name }) => /^vhost-\d+$/.test(name));
  return own.length > 0 ? own : kernelThreads(new Set(threads.map(({ tid }) => `vhost-${tid}`)));
}

/** The kernel's threads with these names. Any process can call itself so, but only a kernel thread has the mark of one. */
async function kernelThreads(names: ReadonlySet<string>): Promise<readonly Thread[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.flatMap((tid) => {
    const name = kernelFileIfThere(`/proc/${tid}/comm`)?.trimEnd();
    return name !== undefined && names.has(name) && isKernelThread(tid) ? [{ tid, name }] : [];
  });
}

/** PF_KTHREAD of include/linux/sched.h, in the ninth field of /proc/PID/stat. */
const KERNEL_THREAD = 0x00200000;

function isKernelThread(pid: number): boolean {
  const stat = kernelFileIfThere(`/proc/${pid}/stat`) ?? "";
  const flags = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[6];
  return flags !== undefined && (Number(flags) & KERNEL_THREAD) !== 0;
}
