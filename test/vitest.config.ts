import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

/** A test that forgets to say where its domains are must not come upon this host's: nothing can be made there, not even by root. */
const NOWHERE = { QMPCTL_CONFIG_DIR: "/proc/config-of-a-test", QMPCTL_RUNTIME_DIR: "/proc/runtime-of-a-test", QMPCTL_STATE_DIR: "/proc/state-of-a-test" };

export default defineConfig({
  root,
  test: {
    reporters: ["default"],
    projects: [
      // Patient, for machines that do much else meanwhile: a test that hangs is still found. Some files only wait, for deadlines to pass: more of them at a time.
      // Files that follow each other share a process and the modules in it: to load them anew for each took a third of the time. So what a file changes in its process, it puts back.
      { root, test: { name: "unit", isolate: false, maxWorkers: 4, include: ["test/**/*.test.ts"], exclude: ["test/qemu/**"], testTimeout: 30_000, hookTimeout: 60_000, env: NOWHERE } },
      // Real machines are heavy under software emulation, and much of the time is waiting for them: three files at a time, on two cores.
      { root, test: { name: "qemu", include: ["test/qemu/**/*.test.ts"], maxWorkers: 3, testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
});
