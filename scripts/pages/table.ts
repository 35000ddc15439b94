import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { blocksOf, sessionOf, type Shown } from "./console.ts";
import type { Beginning } from "./play.ts";

/**
 * Where the console examples of a page are run. Each part is one session; the examples of headings that no part names are in `recorded`.
 */
export interface PagePlays {
  /** Recorded from real QEMU, and replayed by the tests; `scenario` is its name in `npm run record`. */
  readonly recorded?: { readonly scenario: string; readonly beginning: Beginning };
  /** On real QEMU, in test/qemu/pages.test.ts: what a recording can't have. */
  readonly real?: Readonly<Record<string, Beginning>>;
  /** On hosts with a real sshd, in test/qemu/pages.test.ts. */
  readonly hosts?: readonly string[];
  /** Not run, and why. Their verbs and options are checked all the same. */
  readonly not?: Readonly<Record<string, string>>;
}

/** Every page with console examples. */
export const PAGES: Readonly<Record<string, PagePlays>> = {
  "README.md": { recorded: { scenario: "readme", beginning: "nothing" } },
  "src/cli/COMING-FROM.md": { recorded: { scenario: "page-coming-from", beginning: "running" } },
  "src/cli/RECIPES.md": {
    recorded: { scenario: "page-recipes", beginning: "running" },
    real: { "Adopt a machine that runs": "nothing" },
    not: { "Under systemd": "it takes a systemd that has started the host; npm run faults -- --vm does it on a Debian" },
  },
  "src/cli/TROUBLESHOOTING.md": { recorded: { scenario: "page-troubleshooting", beginning: "running" } },
  "src/cli/shell/SHELL.md": { recorded: { scenario: "page-shell", beginning: "running" } },
  "src/remote/FLEETS.md": { hosts: ["What became of each"] },
  "src/domain/balance/BALANCE.md": {
    not: {
      "What it looks like": "three guests under load, for minutes; test/domain/balance has each rule, and its loop with simulated guests",
    },
  },
  "src/domain/ENDS.md": {
    not: {
      "Night and morning": "it takes a timer of the host's, and a night; test/qemu/ends.test.ts has both, with a stand-in for the timer",
      "What is taken back": "the same",
    },
  },
  "src/domain/supervise/SYSTEMD.md": {
    not: {
      systemd: "it takes a systemd that has started the host; npm run faults -- --vm does it on a Debian",
      "Until the guest answers": "it takes a guest with an agent; test/qemu/supervise.test.ts waits for one",
    },
  },
  "src/remote/REMOTE.md": {
    hosts: ["Who can do what with which key"],
    not: {
      "When a host can't be worked with":
        "the words are those of the ssh that is installed; test/qemu/remote-hosts.test.ts has a host with another key",
      "When the connection is lost": "nothing is said for 20 s; test/qemu/remote-faults.test.ts takes the cable out",
    },
  },
  "src/ansible/ANSIBLE.md": {
    not: { "A day of 200 hosts": "it takes Ansible; test/qemu/ansible.test.ts runs such plays where it is installed" },
  },
};

/** The text of a page. */
export function readPage(page: string): Promise<string> {
  return readFile(pathOf(page), "utf8");
}

/** The path of a page. */
export function pathOf(page: string): string {
  return fileURLToPath(new URL(`../../${page}`, import.meta.url));
}

/** The session of a page that is recorded. */
export function recordedOf(page: string, text: string): readonly Shown[] {
  const { real = {}, hosts = [], not = {} } = PAGES[page] ?? {};
  const others = new Set([...Object.keys(real), ...hosts, ...Object.keys(not)]);
  return sessionOf(blocksOf(text)).filter(({ heading }) => !others.has(heading));
}

/** The session of one heading. */
export function underHeading(text: string, heading: string): readonly Shown[] {
  return sessionOf(blocksOf(text)).filter((shown) => shown.heading === heading);
}
