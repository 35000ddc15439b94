#!/usr/bin/env -S npx tsx
/** Shows `qmpctl balance` at work: three real guests, a load that moves from one to another, and somebody who steps in. Some minutes. */
import { type OneGuest, openGuests } from "./lab/guests.ts";
import { installed, qemus } from "./lab/machine.ts";

const suite = process.argv[2];
const qemu = suite === undefined ? await installed() : (await qemus()).find((each) => each.suite === suite);
if (qemu === undefined) throw new Error(`no QEMU of ${suite} here: npm run testbed`);

await using guests = await openGuests(qemu, ["web1", "db1", "idle1"] as const, { max: "768MiB", current: "384MiB", min: "192MiB" });
const { web1, db1, idle1 } = guests.of;
await guests.start();
for (const { console: guest } of [web1, db1, idle1]) await guest.until(({ memTotal }) => memTotal < 400 * 2 ** 20);
const work = guests.cli("balance", "--every", "2s", "--at-most", "1152M");
for (const output of [work.process.stdout, work.process.stderr]) output?.on("data", (data) => process.stdout.write(`${data}`));

/** A guest that takes memory bit by bit, as programs do. */
async function fill({ domain, console: guest }: OneGuest, mib: number): Promise<void> {
  console.log(`--- ${domain.name} takes ${mib} MiB`);
  for (let taken = 0; taken < mib; taken += 10) {
    await guest.tell("hold 10");
    await guest.next();
  }
}

await fill(web1, 240);
console.log("--- web1 gives all of it up");
await web1.console.tell("release");
await fill(db1, 260);
console.log("--- somebody sets the memory of idle1");
await idle1.domain.setMemory(300 * 2 ** 20, { scope: "dynamic" });
for (let second = 0; second < 6; second++) await idle1.console.next();
work.process.kill("SIGTERM");
console.log(`--- ended with ${(await work).code}`);
for (const { domain } of [web1, db1, idle1]) {
  const { balloon, guest } = await domain.memory();
  console.log(`${domain.name}: has ${balloon?.actual}, asked every ${guest?.period} s`);
}
