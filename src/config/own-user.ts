import { homedir, userInfo } from "node:os";
import { geteuid } from "node:process";

/**
 * The id of the user that our files belong to. Not from `userInfo`, which fails for a user without an entry in the list of users, as in
 * containers.
 */
export function ownUid(): number {
  return geteuid?.() ?? -1;
}

/** That user. The home folder is looked up when it is needed; it is / if there is none. */
export const ownUser: { readonly uid: number; readonly homedir: string; readonly passwdHome: string | undefined } = {
  get uid() {
    return ownUid();
  },
  get homedir() {
    try {
      return homedir();
    } catch {
      return "/";
    }
  },
  get passwdHome() {
    try {
      return userInfo().homedir;
    } catch {
      return undefined;
    }
  },
};
