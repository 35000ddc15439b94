import { expect, test } from "vitest";
import { factsOf, planOf, reasonsOf } from "../../../scripts/lab/facts.ts";
import { foldVcpus, listVcpus } from "../../../src/domain/model/format.ts";
import { formatTime } from "../../../src/errors.ts";

test.each([
  [[2], "vCPU 2"],
  [[1, 2], "vCPUs 1 and 2"],
  [[3, 1, 2], "vCPUs 1 to 3"],
  [[0, 2, 3, 4, 9], "vCPUs 0, 2 to 4 and 9"],
  [[5, 5], "vCPU 5"],
])("%j is %s", (vcpus, text) => {
  expect(listVcpus(vcpus)).toBe(text);
});

test("what is said of several vCPUs in the same words is said once", () => {
  expect(foldVcpus(["vCPU 1: no", "other", "vCPU 2: no", "vCPU 3: no", "other"])).toEqual(["vCPUs 1 to 3: no", "other (2 times)"]);
  expect(foldVcpus(["vCPU 1: no", "vCPU 1: yes"])).toEqual(["vCPU 1: no", "vCPU 1: yes"]);
  expect(foldVcpus([])).toEqual([]);
});

test.each([
  [0, "0 ms"],
  [250, "250 ms"],
  [1000, "1000 ms"],
  [1001, "1 s"],
  [3700, "3.7 s"],
  [3741.6, "3.7 s"],
  [59_960, "60 s"],
  [90_400, "90 s"],
])("%d milliseconds are %s", (time, text) => {
  expect(formatTime(time)).toBe(text);
});

test("refusals of many vCPUs are one", () => {
  const pins = [0, 1].map((vcpu) => ({ resource: "vcpu-pin", vcpu, cpus: "9" }) as const);
  expect(reasonsOf(planOf(pins, "dynamic"))).toEqual(["dynamic: this host has no CPU 9"]);
  const absent = [2, 3].map((vcpu) => ({ resource: "vcpu-pin", vcpu, cpus: "1" }) as const);
  expect(reasonsOf(planOf(absent, "dynamic", factsOf()))).toEqual(["dynamic: vCPUs 2 and 3: each is not plugged, so it has no thread yet"]);
});
