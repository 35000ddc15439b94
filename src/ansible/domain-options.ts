import type { Recovery } from "../domain/lifecycle/recover.ts";
import type { Scope } from "../domain/model/change.ts";
import { type Options, readOptions } from "./options.ts";

const STATES = ["present", "running", "paused", "stopped", "shutdown", "destroyed", "restarted", "absent"] as const;

/** What may be wanted of a domain as a whole. */
export type State = "present" | "running" | "paused" | "stopped" | "shutdown" | "destroyed" | "restarted" | "absent";

/** The options of a task, read: times are milliseconds, and what is not given is undefined. */
export interface DomainGiven {
  readonly name: string;
  readonly state: State;
  readonly allocation: Readonly<Record<string, unknown>> | string | undefined;
  readonly scope: Scope;
  readonly config: unknown;
  readonly command_line: unknown;
  readonly replace: boolean;
  readonly force: boolean;
  readonly timeout: number | undefined;
  readonly undo_timeout: number | undefined;
  readonly start_timeout: number | undefined;
  readonly shutdown_timeout: number | undefined;
  readonly on_failure: "undo" | "keep";
  readonly on_pending: "fail" | "accept";
  readonly recover: Recovery | undefined;
}

const TABLE = {
  name: {
    type: "str",
    required: true,
    aliases: ["domain"],
    about: [
      "The name of the domain: as C(qmpctl list --all) shows it, or the one that it is to have.",
      "Also the path of its config on the host, or the address of a monitor there, as C(unix:/run/vm/qmp.sock).",
    ],
  },
  state: {
    type: "str",
    choices: STATES,
    default: "present",
    about: [
      "C(present): it is defined. Whether it runs is left as it is.",
      "C(running): it runs. A stopped one is started, a paused one goes on, one that sleeps is woken up. One that has crashed, or is stopped by an error, is not touched, and the task fails: C(restarted) or C(destroyed) is for those.",
      "C(paused): its vCPUs are paused. A stopped one is started paused.",
      "C(stopped), or C(shutdown): it does not run. The guest is asked to shut down, and waited for.",
      "C(destroyed): it does not run. The guest is not asked.",
      "C(restarted): it is shut down, and started from its config, each time. A stopped one is started.",
      "C(absent): its config is removed; its disks are not. One that runs is refused, or destroyed first if I(force) is set.",
    ],
  },
  allocation: {
    type: "dict",
    about: [
      "What it is to have, as a file for C(qmpctl apply) says it. What is left out stays as it is. Only the differences are changed, as one change: if a part fails, all of it is undone.",
      "A size is a text with a unit, as C(2GiB) or C(512M), or a number of bytes. A bare number below 64 MiB is refused: it may mean KiB or MiB.",
      "A template makes texts of numbers: they are read as numbers where a number is meant.",
    ],
  },
  scope: {
    type: "str",
    choices: ["both", "current", "static", "dynamic"],
    default: "both",
    about: [
      "C(both): its config and, if it runs, the running machine. So it has the same after its next start.",
      "C(static): its config only, which the next start uses. C(dynamic): the running machine only, until it ends.",
      "C(current): the running machine, or the config of a stopped one.",
    ],
  },
  config: {
    type: "raw",
    about: [
      "A launch config to define the domain with: a dictionary, or a text as C(lookup('file', 'web1.json')) reads it. The text may also be a shell script with one QEMU command in it, which is read and never run.",
      "It is used if there is no such domain yet, or if I(replace) is set. Relative paths are meant from the home folder of the user on the host.",
    ],
  },
  command_line: {
    type: "raw",
    about: ["In place of I(config): a QEMU command, as a list of words, or as a line that a shell would read."],
  },
  replace: {
    type: "bool",
    default: false,
    about: [
      "Whether a config that is there already, and says something else, is replaced. What I(allocation) asks for is no difference.",
      "If it runs, the new config is for its next start.",
    ],
  },
  force: {
    type: "bool",
    default: false,
    about: ["Do it even if the guest may not survive it, as less memory than it uses. With C(state=absent): destroy it first."],
  },
  timeout: {
    type: "time",
    about: ["How long the change of a running machine may take: C(30s), C(500ms), C(2m), or seconds. The default is 30 seconds."],
  },
  undo_timeout: {
    type: "time",
    about: ["How long undoing may take if the change fails. The default is 15 seconds."],
  },
  start_timeout: { type: "time", about: ["How long a start may take. The default is 60 seconds."] },
  shutdown_timeout: {
    type: "time",
    about: ["How long the guest may take to shut down. The default is 60 seconds. A restart may take this and I(start_timeout) together."],
  },
  on_failure: {
    type: "str",
    choices: ["undo", "keep"],
    default: "undo",
    about: ["What happens to the finished steps of a change if a later one fails."],
  },
  on_pending: {
    type: "str",
    choices: ["fail", "accept"],
    default: "fail",
    about: [
      "What to make of a change that QEMU has accepted and the guest has not finished by the deadline. Its config is written then, and the guest may still do its part.",
      "C(fail): the task fails, with C(pending=true), as it is not so yet. The same task again waits for it once more.",
      "C(accept): the task is C(changed), with C(pending=true) and a warning.",
    ],
  },
  recover: {
    type: "str",
    choices: ["finish", "undo", "forget"],
    about: [
      "What to do first if a change of it was interrupted, since its writer died: both halves as they were wanted, as they were before, or left as they are. Without it, such a domain is refused.",
    ],
  },
} as const satisfies Options;

/** The options of the module `domain`. What ansible-doc shows is made of them, too. */
export const DOMAIN_OPTIONS: Options = TABLE;

/** Reads the arguments of a task. @throws UsageError with everything that is wrong */
export function domainGiven(given: unknown): DomainGiven {
  return readOptions(TABLE, given);
}
