import { cpu } from "./cpu.ts";
import { disks } from "./disks.ts";
import { guest } from "./guest.ts";
import { lifecycle } from "./lifecycle.ts";
import { memory } from "./memory.ts";
import { monitor } from "./monitor.ts";
import { pages } from "./pages.ts";
import { pins } from "./pins.ts";
import { plugged } from "./plugged.ts";
import type { Scenarios } from "./scenario.ts";
import { oneHalfFails, threeCases } from "./stories.ts";
import { scenarioOf } from "./story.ts";
import { threads } from "./threads.ts";
import { vcpus } from "./vcpus.ts";

/** All scenarios. Each is recorded to `fixtures/qmp/VERSION_ARCH/NAME/`, one transcript for each start of its machine. */
export const scenarios: Scenarios = {
  ...memory,
  ...plugged,
  ...vcpus,
  ...guest,
  ...pins,
  ...threads,
  ...cpu,
  ...disks,
  ...lifecycle,
  ...monitor,
  ...pages,
  "three-cases": scenarioOf(threeCases(10)),
  "one-half-fails": scenarioOf(oneHalfFails),
};
