import { expect, test } from "vitest";
import { configOf } from "../../../scripts/lab/facts.ts";
import { definedDomain, runningDomain } from "../scene.ts";

test("H2: a restart of a machine that is stopped is a start, and asks nobody to shut down", async () => {
  const { domain } = await definedDomain({ ...configOf(), emulator: "false" });
  await expect(domain.restart()).rejects.toMatchObject({
    code: "host",
    message: expect.stringContaining("false could not start the machine: it ended with status 1") as string,
  });
});

test("a restart of a machine that runs asks its guest to shut down, and starts nothing while that one is there", async () => {
  const { domain, sent, qemu } = await runningDomain();
  (qemu.answers as Record<string, () => unknown>)["system_powerdown"] = () => ({});
  await expect(domain.restart({ timeout: 3000 })).rejects.toMatchObject({
    code: "timeout",
    message: expect.stringContaining("the guest did not shut down") as string,
  });
  expect(sent()).toEqual(["system_powerdown {}"]);
});
