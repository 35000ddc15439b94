import { describe, expect, test } from "vitest";
import { deadlineIn } from "../../../src/deadline.ts";
import { type Found, openFor, openToLook } from "../../../src/domain/facts/open.ts";
import { readFacts } from "../../../src/domain/facts/read.ts";
import { Identity } from "../../../src/domain/machine/identity.ts";
import type { Place } from "../../../src/domain/machine/place.ts";
import { ownFolders } from "../../config/folder.ts";

/** Above the highest id that Linux gives: no process has it. */
const GONE = { pid: 2 ** 22 + 1, started: 1 };

async function place(address: string | null): Promise<Place> {
  return { name: address ?? "web1", config: null, address, folders: await ownFolders(), units: "/nonexistent", timeout: 500 };
}

/** A machine that was found, with nobody at its monitor. */
function found(process: Identity["process"], hindrance: string | null = null): Found {
  const known = { name: null, id: null, key: "k", watch: null, folder: null, obstacle: null, ours: true };
  return { stored: null, machine: new Identity({ ...known, domain: "web1", process, control: "unix:/no/such.sock" }), hindrance };
}

describe.each([
  ["for a change", openFor],
  ["to look", openToLook],
])("a QEMU that is opened %s", (_, open) => {
  const read = async (where: Place, what: Found) => {
    const until = { by: deadlineIn(500) };
    await using opened = await open(where, what, until);
    return await readFacts(where, what, opened, until);
  };

  test("and has ended since it was found is stopped, not unreachable", async () => {
    expect(await read(await place(null), found(GONE))).toMatchObject({ state: "stopped", live: null });
  });

  test("and is known by its address only is never called stopped", async () => {
    expect(await read(await place("unix:/no/such.sock"), found(GONE))).toMatchObject({ state: "unreachable" });
  });

  test("and does not answer is unreachable, and says why without its name", async () => {
    const facts = await read(await place(null), found(null));
    expect(facts).toMatchObject({ state: "unreachable", live: null, why: expect.stringMatching(/^unix:\/no\/such\.sock: /) as string });
  });

  test("and does not run is stopped, with what stands in the way of a start", async () => {
    const nobody = { stored: null, machine: null, hindrance: "somebody else has its monitor" };
    expect(await read(await place(null), nobody)).toMatchObject({ state: "stopped", why: "somebody else has its monitor" });
  });

  test("is not waited for after an abort: its reason comes as it is", async () => {
    const reason = new Error("ctrl-c");
    const opening = open(await place(null), found(null), { by: deadlineIn(500), signal: AbortSignal.abort(reason) });
    await expect(opening).rejects.toBe(reason);
  });
});
