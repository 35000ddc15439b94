import { userInfo } from "node:os";
import { basename } from "node:path";
import { argv, env, pid } from "node:process";
import { ownUid } from "../../config/own-user.ts";
import { programWords } from "./program.ts";

/** Who did something, as far as the process knows: its environment can say anything. */
export interface Caller {
  readonly uid: number;
  /** Null for a user without an entry in the list of users. */
  readonly user: string | null;
  /** Root called, and goes on as the machine's owner. */
  readonly isRoot?: true;
  /** Who called sudo. */
  readonly sudo?: string;
  /** The address that an ssh session comes from. */
  readonly from?: string;
  /** The command line, where the program is qmpctl; else the program's name alone. */
  readonly program: readonly string[];
  readonly pid: number;
}

/** The variable that says so to a program that root began, and that goes on as another user. */
const FOR_ROOT = "QMPCTL_FOR_ROOT";

/** Who this process works for. */
export function caller(): Caller {
  const sudo = env["SUDO_USER"];
  const from = env["SSH_CONNECTION"]?.split(" ")[0];
  return {
    uid: ownUid(),
    user: ownName(),
    ...(env[FOR_ROOT] === undefined ? {} : { isRoot: true as const }),
    ...(sudo === undefined || sudo === "" ? {} : { sudo }),
    ...(from === undefined || from === "" ? {} : { from }),
    program: programWords() ?? [basename(argv[1] ?? "node")],
    pid,
  };
}

function ownName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}
