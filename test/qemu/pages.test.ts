import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missingForHosts } from "../../scripts/lab/hosts.ts";
import { installed } from "../../scripts/lab/machine.ts";
import { openPageHosts, type PageHosts } from "../../scripts/pages/play-hosts.ts";
import { playReal } from "../../scripts/pages/play-real.ts";
import { PAGES, readPage, underHeading } from "../../scripts/pages/table.ts";
import { VIRSH } from "../../scripts/reference/coming-from.ts";
import { comparable } from "../../scripts/scenarios/pages.ts";

// The console examples that a recording can't have. The others are replayed by test/cli/replay.test.ts.
const real = Object.entries(PAGES).flatMap(([page, plays]) => Object.entries(plays.real ?? {}).map((part) => [page, ...part] as const));
const onHosts = Object.entries(PAGES).flatMap(([page, plays]) => (plays.hosts ?? []).map((heading) => [page, heading] as const));

test.each(real)("%s, %s: real QEMU says what the page shows", async (page, heading, beginning) => {
  const session = underHeading(await readPage(page), heading);
  expect(comparable(await playReal((await installed()).binary, session, beginning))).toBe(comparable(session));
});

const missing = await missingForHosts();
describe.skipIf(missing.length > 0)(`on hosts with a real sshd${missing.length > 0 ? `: ${missing.join(", ")} missing` : ""}`, () => {
  let hosts: PageHosts;
  beforeAll(async () => {
    hosts = await openPageHosts();
  });
  afterAll(() => hosts?.[Symbol.asyncDispose]());

  test.concurrent.each(onHosts)("%s, %s: says what the page shows", async (page, heading) => {
    const session = underHeading(await readPage(page), heading);
    expect(comparable(await hosts.play(session))).toBe(comparable(session));
  });
});

const virsh = await promisify(execFile)("virsh", ["help"]).then(
  ({ stdout }) => stdout,
  () => undefined,
);
test.skipIf(virsh === undefined)("every verb of the virsh that is installed, as far as it is about domains, is in the table", () => {
  const groups = (virsh ?? "").split(/^ (?=\S)/m).filter((group) => /^(Domain Management|Domain Monitoring|Snapshot) /.test(group));
  const names = groups.flatMap((group) => [...group.matchAll(/^ {4}([a-z-]+) /gm)].map(([, name]) => name));
  expect(names.length).toBeGreaterThan(80);
  expect(names.filter((name) => !VIRSH.includes(name ?? ""))).toEqual([]);
});
