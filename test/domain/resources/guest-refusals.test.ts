import { describe, expect, test } from "vitest";
import { GuestRefusals, StayError, stayingAfter } from "../../../src/domain/resources/guest-refusals.ts";

function hearing(...said: readonly (readonly [slot: string, source: number, status: number, type?: string])[]): GuestRefusals {
  const refusals = new GuestRefusals();
  for (const [slot, source, status, type = "CPU"] of said)
    refusals.hear({ event: "ACPI_DEVICE_OST", data: { info: { slot, source, status, "slot-type": type } } });
  return refusals;
}

describe("what a guest says of an eject", () => {
  test.each([1, 128, 129, 130, 200])("status %i is a no", (status) => {
    expect(hearing(["2", 3, status]).has(2)).toBe(true);
  });

  test.each([0, 131, 132])("status %i is none", (status) => {
    expect(hearing(["2", 3, status]).has(2)).toBe(false);
  });

  test("is not what it says of a plug, of memory, or of another vCPU", () => {
    expect(hearing(["2", 1, 1]).has(2)).toBe(false);
    expect(hearing(["2", 3, 1, "DIMM"]).has(2)).toBe(false);
    expect(hearing(["3", 3, 1]).has(2)).toBe(false);
    const deaf = new GuestRefusals();
    deaf.hear({ event: "DEVICE_DELETED", data: { device: "vcpu2" } });
    expect(deaf.has(2)).toBe(false);
  });

  test("names the vCPUs and the guest's reason, and keeps them for the undo", () => {
    const error = hearing(["2", 3, 129], ["3", 3, 200]).error([2, 3]);
    expect(error.message).toBe(
      "unplug: the guest refused to let go of vCPU 2 (the device is busy, _OST status 129), vCPU 3 (no reason given, _OST status 200)",
    );
    expect([...stayingAfter(error)]).toEqual([2, 3]);
    expect(error).toBeInstanceOf(StayError);
    expect(stayingAfter(new Error("the monitor is gone")).size).toBe(0);
  });
});
