import { isErrorCode } from "../../src/errors.ts";
import { connectAgent, type GuestAgent } from "../../src/qmp/guest-agent.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB, type Stage } from "./stage.ts";

/** A guest that brings up no vCPU by itself, with a disk that its agent can freeze. */
const AGENT = { hasAgent: true, words: ["qmpctl.online=off", "qmpctl.disk=on"], append: "no_timer_check" } as const;

/** The guest's own half, as its agent says: that is recorded too. */
export const guest: Scenarios = {
  "guest-vcpus": {
    tells: "the guest's own count of vCPUs stands beside the machine's; --online brings up what was plugged, --guest asks the guest alone",
    through: "program",
    setting: { guest: AGENT },
    play: async ({ domain, guest: voice, agent, cli, config }) => {
      await domain.start();
      await voice.booted();
      await answering(agent);
      has(await domain.info(), { live: { vcpus: 1 }, guest: { vcpus: 1, memory: 512 * MIB } });
      has(await cli(["setvcpus", "web1", "2"]), { code: 0 });
      await other(agent, (it) => until(it, 2));
      has((await domain.diff())[2], { resource: "vcpus", live: 2, guest: 1, why: /the guest uses 1 of 2: setvcpus with --online/ });
      has(await cli(["setvcpus", "web1", "2", "--online"]), { code: 0 });
      await voice.until({ cpus: 2 });
      has(await cli(["setvcpus", "web1", "3", "--online", "--both"]), { code: 0, stderr: "" });
      await voice.until({ cpus: 3 });
      has(await config(), { vcpus: { current: 3 } });
      has(await cli(["setvcpus", "web1", "1", "--guest"]), { code: 0, stdout: /lost when it reboots/ });
      await voice.until({ cpus: 1 });
      has(await domain.info(), { live: { vcpus: 3 }, guest: { vcpus: 1 } });
      has(await cli(["setvcpus", "web1", "4", "--guest"]), { code: 3, stderr: /the guest has 3 vCPUs, so 4 can't be online/ });
      has(await cli(["setvcpus", "web1", "2", "--guest", "--static"]), { code: 3, stderr: /udev rule/ });
    },
  },

  "guest-frozen": {
    tells: "of a guest whose file systems are frozen, or that does not run, nothing is known: it is said so, and nothing is asked of it",
    through: "library",
    setting: { guest: AGENT, vcpus: { current: 2 } },
    play: async ({ domain, guest: voice, agent }) => {
      await domain.start();
      await voice.booted();
      await answering(agent);
      const frozen = /^the guest's file systems are frozen, and its agent does nothing until they are thawed$/;
      await other(agent, async (it) => {
        has(await it.execute("guest-fsfreeze-freeze"), 1);
        has(await it.execute("guest-fsfreeze-status"), "frozen");
        has(await failure(it.execute("guest-get-vcpus"), "command"), {
          class: "CommandNotFound",
          desc: /has been disabled: the agent is in frozen state$/,
        });
      });
      has(await domain.info(), { state: "running", guest: { vcpus: null, unknown: frozen } });
      const alone = { resource: "guest-vcpus", count: 1, how: "exactly" } as const;
      has(await failure(domain.change(alone), "refused"), { message: /file systems are frozen/ });
      await other(agent, (it) => it.execute("guest-fsfreeze-thaw"));
      has(await domain.info(), { guest: { vcpus: 2 } });
      await domain.suspend();
      has(await domain.info(), { guest: { vcpus: null, unknown: "the guest does not run" } });
      await domain.resume();
      has(await domain.change(alone), { outcome: "applied" });
    },
  },

  "guest-silent": {
    tells: "an agent that is there and says nothing makes the guest unknown in a second, and no machine that does not answer",
    through: "library",
    setting: { guest: AGENT },
    play: async ({ domain, guest: voice, agent }) => {
      await domain.start();
      await voice.booted();
      await answering(agent);
      has(await domain.info(), { guest: { vcpus: 1 } });
      await silence(agent);
      has(await domain.info(), {
        state: "running",
        live: { vcpus: 1 },
        guest: { vcpus: null, unknown: /^the guest agent does not answer within 1000 ms/ },
      });
      has(await failure(domain.change({ resource: "guest-vcpus", count: 1, how: "exactly" }), "refused"), {
        message: /nothing is known of the guest: the guest agent does not answer/,
      });
    },
  },

  "guest-no-agent": {
    tells: "a guest without an agent is unknown at once, and --online is refused before anything is plugged",
    through: "library",
    setting: { guest: { ...AGENT, words: ["qmpctl.agent=off"] } },
    play: async ({ domain, guest: voice }) => {
      await domain.start();
      await voice.booted();
      has(await domain.info(), { guest: { vcpus: null, unknown: "no agent runs in the guest" } });
      const wanted = [
        { resource: "vcpus", count: 2 },
        { resource: "guest-vcpus", count: 2, how: "at-least" },
      ] as const;
      has(await failure(domain.change(wanted), "refused"), { message: /no agent runs in the guest/ });
      has(await domain.info(), { live: { vcpus: 1 } });
    },
  },
};

/** Asks the agent as another program does. Its channel takes one client at a time. */
async function other<T>(address: Stage["agent"], ask: (agent: GuestAgent) => Promise<T>): Promise<T> {
  await using agent = await connectAgent(address);
  return await ask(agent);
}

/** Resolves when the guest's agent answers, which comes up a moment after the guest. */
async function answering(address: Stage["agent"]): Promise<void> {
  await using _ = await connectAgent(address, { timeout: 20_000 });
}

/** The guest stops its own agent, which is the shell's parent and may be stopped before it answers. Resolves when it says nothing. */
async function silence(address: Stage["agent"]): Promise<void> {
  const timeout = 1000;
  const unless = (code: "timeout" | "greeting") => (error: unknown) => {
    if (!isErrorCode(error, code)) throw error;
  };
  await other(address, (agent) =>
    agent.execute("guest-exec", { path: "/bin/sh", arg: ["-c", "kill -STOP $PPID"] }, { timeout }).catch(unless("timeout")),
  );
  while ((await connectAgent(address, { timeout }).then((agent) => agent.close().then(() => true), unless("greeting"))) === true);
}

/** Resolves when the guest's kernel has found so many vCPUs. */
async function until(agent: GuestAgent, count: number): Promise<void> {
  while ((await agent.execute("guest-get-vcpus")).length < count);
}
