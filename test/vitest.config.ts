import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

export default defineConfig({
  root,
  test: {
    reporters: ["default"],
    projects: [
      { root, test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/qemu/**"] } },
      // Real machines are heavy under software emulation: one file at a time, two cores.
      { root, test: { name: "qemu", include: ["test/qemu/**/*.test.ts"], fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
});
