import { expect, test } from "vitest";
import { checkChanges } from "../../../src/domain/change/check-changes.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { UsageError } from "../../../src/errors.ts";

test.each<[unknown, string]>([
  [{ resource: "frobnicate" }, '"frobnicate": no such resource'],
  [{ resource: "__proto__" }, '"__proto__": no such resource'],
  [{ size: 1 }, "undefined: no such resource"],
  [{ resource: "iothread", id: "io1", present: true }, "iothread: its member iothread is missing, not a text"],
  [{ resource: "disk-throttle", disk: "d", limits: { iops: 5 } }, 'disk-throttle: its member limits is {"iops":5}, not a text'],
  [{ resource: "memory", size: "1GiB" }, 'memory: its member size is "1GiB", not a number'],
  [{ resource: "memory", size: 5n }, "memory: its member size is 5, not a number"],
  [{ resource: "device", id: "r", words: ["-device", "virtio-rng-pci"] }, "device: its member words is"],
  [{ resource: "vcpus-online", vcpus: "0-2" }, "vcpus-online: its member online is missing, not a text"],
])("what is no change of ours is a mistake in the use, not a crash: %o", (change, message) => {
  const check = () => checkChanges([{ resource: "vcpus", count: 1 }, change as Change]);
  expect(check).toThrow(UsageError);
  expect(check).toThrow(message);
});
