import { homedir, userInfo } from "node:os";
import { geteuid } from "node:process";

/** The user's id whom files of ours belong to. Not by `userInfo`: it fails for a user that no list knows, as containers have. */
export function ownUid(): number {
  return geteuid?.() ?? -1;
}

/** That user; his home is looked for when it is needed, and is / where there is none. */
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
