import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = new URL("..", import.meta.url).pathname;

/** A test that forgets to say where its domains are must not come upon this host's: nothing can be made there, not even by root. */
const NOWHERE = {
  QMPCTL_CONFIG_DIR: "/proc/config-of-a-test",
  QMPCTL_RUNTIME_DIR: "/proc/runtime-of-a-test",
  QMPCTL_STATE_DIR: "/proc/state-of-a-test",
};

/**
 * Files that take long, the longest first: one that begins last is waited for by all. On real QEMU a minute and more, without it ten
 * seconds.
 */
const LONG_UNIT = [
  "cli/planted",
  "domain/change/undo",
  "domain/replay",
  "cli/replay",
  "domain/model",
  "domain/lifecycle/recover",
  "wire/child",
  "domain/writers",
  "cli/program-monitor",
  "package",
  "domain/ends/ends",
  "fuzz",
];
const LONG_QEMU = [
  "faults",
  "memory-devices",
  "host-memory",
  "vcpus-online",
  "guest-half",
  "devices",
  "quota",
  "threads",
  "domain-scopes",
  "domain-memory",
  "domain-cases",
  "domain-lifecycle",
  "domain-vcpus",
  "start-cases",
  "notes-cases",
  "domain-safety",
  "identity-matrix",
  "identity-cases",
  "guest",
  "pages",
  "there",
  "many",
  "ends",
  "balance",
  "supervise",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = [...LONG_UNIT, ...LONG_QEMU.map((name) => `qemu/${name}`)].findIndex((name) =>
        moduleId.endsWith(`/test/${name}.test.ts`),
      );
      return found === -1 ? Infinity : found;
    };
    const sorted = await super.sort(files);
    return [
      ...sorted.filter((file) => place(file) !== Infinity).toSorted((one, other) => place(one) - place(other)),
      ...sorted.filter((file) => place(file) === Infinity),
    ];
  }
}

export default defineConfig({
  root,
  test: {
    reporters: ["default"],
    sequence: { sequencer: LongestFirst },
    projects: [
      // Patient, for machines that do much else meanwhile: a test that hangs is still found. Some files only wait, for deadlines to pass:
      // more of them at a time.
      // Files that follow each other share a process and the modules in it: to load them anew for each took a third of the time. So what a
      // file changes in its process, it puts back: real-timers.ts sees to the clock.
      {
        root,
        test: {
          name: "unit",
          isolate: false,
          maxWorkers: 4,
          include: ["test/**/*.test.ts"],
          exclude: ["test/qemu/**"],
          setupFiles: ["test/real-timers.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          env: NOWHERE,
        },
      },
      // Real machines are heavy under software emulation, and much of the time is waiting for them: three files at a time, on two cores.
      { root, test: { name: "qemu", include: ["test/qemu/**/*.test.ts"], maxWorkers: 3, testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
});
