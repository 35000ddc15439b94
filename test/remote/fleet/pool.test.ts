import { expect, test } from "vitest";
import type { Member } from "../../../src/remote/fleet/member.ts";
import { eachMember } from "../../../src/remote/fleet/pool.ts";

function members(count: number, jump?: (at: number) => string | undefined): readonly Member[] {
  return Array.from({ length: count }, (_, at) => ({ name: `kvm${at}`, address: `kvm${at}`, jump: jump?.(at) }));
}

/** Work that is over when the test says so. */
function gate(): {
  readonly busy: Set<string>;
  readonly begun: string[];
  work(member: Member): Promise<void>;
  end(name: string): Promise<void>;
} {
  const ends = new Map<string, () => void>();
  const busy = new Set<string>();
  const begun: string[] = [];
  return {
    busy,
    begun,
    work({ name }) {
      busy.add(name);
      begun.push(name);
      return new Promise((resolve) => ends.set(name, resolve));
    },
    async end(name) {
      busy.delete(name);
      ends.get(name)?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test("so many at once, in their order, and one that is slow holds up nobody else", async () => {
  const { work, end, busy, begun } = gate();
  const all = eachMember(members(6), { atOnce: 2, isOver: () => false }, work);
  expect([...busy]).toEqual(["kvm0", "kvm1"]);
  for (const name of ["kvm1", "kvm2", "kvm3", "kvm4"]) await end(name);
  expect([...busy]).toEqual(["kvm0", "kvm5"]);
  await end("kvm5");
  await end("kvm0");
  await all;
  expect(begun).toEqual(["kvm0", "kvm1", "kvm2", "kvm3", "kvm4", "kvm5"]);
});

test("eight behind one jump host, while the others go on; and each has its turn", async () => {
  const { work, end, busy, begun } = gate();
  const all = eachMember(
    members(14, (at) => (at < 12 ? "gate" : undefined)),
    { atOnce: 20, isOver: () => false },
    work,
  );
  expect([...busy].filter((name) => !["kvm12", "kvm13"].includes(name))).toHaveLength(8);
  expect(busy.has("kvm12") && busy.has("kvm13")).toBe(true);
  await end("kvm12");
  expect(busy.has("kvm8")).toBe(false);
  await end("kvm3");
  expect(busy.has("kvm8")).toBe(true);
  for (const name of [...begun]) await end(name);
  for (const name of begun.slice(11)) await end(name);
  await all;
  expect(begun).toHaveLength(14);
});

test("none are begun when it is over, and those under way are waited for", async () => {
  const { work, end, begun } = gate();
  let isOver = false;
  let ended = false;
  const all = eachMember(members(4), { atOnce: 2, isOver: () => isOver }, work).then(() => (ended = true));
  isOver = true;
  await end("kvm0");
  expect([begun, ended]).toEqual([["kvm0", "kvm1"], false]);
  await end("kvm1");
  await all;
  expect(begun).toEqual(["kvm0", "kvm1"]);
});

test("no host at all is no work", async () => {
  await eachMember([], { atOnce: 1, isOver: () => false }, () => Promise.reject(new Error("never")));
});

test.each([0, -1, 1.5, Number.NaN])("%d at once are none", async (atOnce) => {
  await expect(eachMember(members(2), { atOnce, isOver: () => false }, () => Promise.resolve())).rejects.toThrow(
    `atOnce ${atOnce}: not a number of 1 or more`,
  );
});
