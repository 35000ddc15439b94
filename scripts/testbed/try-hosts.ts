import { once } from "node:events";
import { configOn, FAKE, fakeOn } from "../lab/host-machines.ts";
import { missingForHosts, startHosts } from "../lab/hosts.ts";

/**
 * Starts hosts to try the command line on, by hand, until Ctrl-C: `host1`, `host2`, … with a stopped machine `web1` each, and a fake one
 * that
 * runs.
 *
 * @throws Error when they can't be started here
 */
export async function tryHosts(count: number): Promise<string> {
  await checkHosts();
  const start = performance.now();
  await using hosts = await startHosts(count);
  const fakes = await Promise.all(hosts.all.map(fakeOn));
  for (const host of hosts.all) await configOn(host, "web1");
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const all = count === 1 ? "host1" : `host[1-${count}]`;
  console.log(`${count} hosts are up after ${seconds} s, each with an sshd of its own. On another terminal, as root:

  export QMPCTL_SSH=${hosts.ssh}
  qmpctl -H '${all}' list --all
  qmpctl -H host1 start web1 --paused          # a QEMU without a guest
  qmpctl -H '${all}' setmem web1 48MiB --config
  qmpctl -H '${all}' setmem ${FAKE} 1GiB   # a fake machine that runs
  $QMPCTL_SSH host1                            # a shell there

Their folders: ${hosts.all[0]?.folder.replace(/\d+$/, "*") ?? ""}
Ctrl-C ends them.`);
  // Nothing else keeps this process: their inits are children that end with it.
  const stay = setInterval(() => {}, 60_000);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  clearInterval(stay);
  for (const fake of fakes) await fake[Symbol.asyncDispose]();
  return `${count} hosts are gone`;
}

/** Starts two hosts and ends them: what the tests need is there, and may be done here. @throws Error when it is not */
export async function checkedHosts(): Promise<string> {
  await checkHosts();
  await using hosts = await startHosts(2);
  return `${hosts.all.map(({ name }) => name).join(" and ")} can be started`;
}

async function checkHosts(): Promise<void> {
  const missing = await missingForHosts();
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; run it as root, with --install`);
}
