import { MIB } from "./stage.ts";
import type { Story } from "./story.ts";

/** Two rows in the table of a change, static half first. */
function halves(resource: string, fixed: string, live: string): readonly RegExp[] {
  return [new RegExp(`^${resource} +static +.*\\b${fixed}\\b`, "m"), new RegExp(`^${resource} +dynamic +.*\\b${live}\\b`, "m")];
}

/** Rows of `info`: config and live values. */
function sides(memory: readonly [string, string], vcpus: readonly [number, number]): readonly RegExp[] {
  return [new RegExp(`^memory +${memory.join(" +")}( |$)`, "m"), new RegExp(`^vCPUs +${vcpus.join(" +")}( |$)`, "m")];
}

/** The number of vCPUs by day and by night. */
interface Shift {
  readonly day: number;
  readonly night: number;
  readonly needs: string;
  readonly gave: string;
}

const FEWER: Shift = { day: 3, night: 1, needs: "Night. Others need the memory and the CPUs.", gave: "the guest released two vCPUs" };
const MORE: Shift = { day: 1, night: 3, needs: "Night. Others need the memory; the CPUs are free.", gave: "the guest has two vCPUs more" };

/**
 * The three cases of 2007 (libvir-list, "Life-cycle Management of the domain"). Under software emulation, QEMU before 10 may die or hang
 * when a vCPU is unplugged, so there the night has more vCPUs instead of fewer.
 */
export function threeCases(major: number): Story {
  return casesWith(major < 10 ? MORE : FEWER);
}

function casesWith({ day, night, needs, gave }: Shift): Story {
  return {
    tells: "cases A, B and C: what a change does now, and what is left after a restart",
    setting: { vcpus: { current: day } },
    acts: [
      {
        title: "A. For the night only: a dynamic change",
        lines: [
          {
            say: `A machine with ${day === 1 ? "one vCPU" : `${day} vCPUs`} and 512 MiB.`,
            run: ["start", "web1"],
            shows: [/^web1: started/m],
            so: "it runs",
            boots: true,
            guest: { cpus: day },
          },
          {
            say: needs,
            run: ["setmem", "web1", "300MiB", "--dynamic"],
            shows: halves("memory", "skipped", "applied"),
            so: "the guest gave 212 MiB back",
            guest: { memory: 300 * MIB },
          },
          {
            run: ["setvcpus", "web1", String(night), "--dynamic"],
            shows: halves("vcpus", "skipped", "applied"),
            so: gave,
            guest: { cpus: night },
          },
          { run: ["info", "web1"], shows: sides(["512MiB", "300MiB"], [day, night]), so: "the live half has changed, the config has not" },
          {
            say: "Morning. A restart brings everything back.",
            run: ["restart", "web1"],
            shows: [/web1/],
            so: "a new QEMU, from the config",
            boots: true,
          },
          {
            run: ["info", "web1"],
            shows: sides(["512MiB", "512MiB"], [day, day]),
            so: "case A: the change is gone after the night",
            guest: { cpus: day, memory: 512 * MIB },
          },
        ],
      },
      {
        title: "B. From the next start on: a static change",
        lines: [
          {
            say: "The machine should change, but not in the middle of the day.",
            run: ["setmem", "web1", "400MiB", "--static"],
            shows: halves("memory", "applied", "skipped"),
            so: "written to the config",
          },
          { run: ["setvcpus", "web1", "2", "--static"], shows: halves("vcpus", "applied", "skipped"), so: "written to the config" },
          {
            say: "Nothing happens now.",
            run: ["info", "web1"],
            shows: sides(["400MiB", "512MiB"], [2, day]),
            so: "the config differs from the live machine",
            guest: { cpus: day, memory: 512 * MIB },
          },
          {
            run: ["restart", "web1"],
            shows: [/web1/],
            so: "a new QEMU, from the new config",
            boots: true,
            guest: { cpus: 2, memory: 400 * MIB },
          },
          { run: ["info", "web1"], shows: sides(["400MiB", "400MiB"], [2, 2]), so: "case B: the change is there after the restart" },
        ],
      },
      {
        title: "C. Now and from now on: both",
        lines: [
          {
            run: ["setmem", "web1", "300MiB", "--dynamic", "--static"],
            shows: halves("memory", "applied", "applied"),
            so: "live half and config changed together",
            guest: { memory: 300 * MIB },
          },
          {
            run: ["setvcpus", "web1", String(night), "--dynamic", "--static"],
            shows: halves("vcpus", "applied", "applied"),
            so: "live half and config changed together",
            guest: { cpus: night },
          },
          { run: ["info", "web1"], shows: sides(["300MiB", "300MiB"], [night, night]), so: "the change is there now" },
          {
            run: ["restart", "web1"],
            shows: [/web1/],
            so: "a new QEMU, from the config",
            boots: true,
            guest: { cpus: night, memory: 300 * MIB },
          },
          {
            run: ["info", "web1"],
            shows: sides(["300MiB", "300MiB"], [night, night]),
            so: "case C: the change is still there after the restart",
          },
          { run: ["shutdown", "web1"], shows: [/the guest powered off/], so: "good night" },
        ],
      },
    ],
  };
}

/** The open question of 2007: one half works and the other does not. */
export const oneHalfFails: Story = {
  tells: "both halves are wanted and the live one fails: everything is as before, and the report says so",
  setting: { name: "db1", vcpus: { current: 3 }, guest: { words: ["qmpctl.unplug=refuse"] } },
  acts: [
    {
      title: "And when one half fails?",
      lines: [
        {
          say: "A guest that releases no vCPU.",
          run: ["start", "db1"],
          shows: [/^db1: started/m],
          so: "it runs",
          boots: true,
          guest: { cpus: 3 },
        },
        {
          run: ["setvcpus", "db1", "1", "--dynamic", "--static"],
          code: 1,
          shows: [/the guest refused to let go of vCPU/, /everything is as it was/, ...halves("vcpus", "rolled-back", "rolled-back")],
          so: "refused by the guest: exit code 1, both halves rolled back",
        },
        {
          run: ["info", "db1"],
          shows: sides(["512MiB", "512MiB"], [3, 3]),
          so: "the config was not touched, and the machine works",
          guest: { cpus: 3 },
        },
        { run: ["destroy", "db1"], shows: [/db1/], so: "the end" },
      ],
    },
  ],
};
