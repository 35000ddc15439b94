import { expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { askDomains, askHosts } from "../../../src/remote/fleet/ask-fleet.ts";
import { workOverFleet } from "../../../src/remote/fleet/campaign.ts";
import { Links } from "../../../src/remote/fleet/links.ts";
import { domainWork } from "../../../src/remote/fleet/work.ts";
import { fakes, obeys } from "./crew-of-fakes.ts";

test("a fleet that is disposed of connects to nobody any more: nobody would close that", async () => {
  const { crew, links } = fakes({ kvm1: { web1: obeys }, kvm2: { web1: obeys } });
  const kept = { ...crew, links: new Links(crew, { stays: true }) };
  await askDomains(kept, "web1", async (domain) => domain.info({}));
  expect(links.now).toBe(2);
  await kept.links[Symbol.asyncDispose]();
  expect(links.now).toBe(0);
  const over = expect.objectContaining({ message: "the fleet is disposed of" }) as unknown;
  await expect(askDomains(kept, "web*", async (domain) => domain.info({}))).rejects.toEqual(over);
  await expect(askHosts(kept, async (host) => host.list({}))).rejects.toBeInstanceOf(UsageError);
  await expect(workOverFleet(kept, domainWork("web1", { dryRun: false, run: async (domain) => domain.info({}) }))).rejects.toEqual(over);
  expect(links.now).toBe(0);
});
