import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** How a program ended that a timer ran. */
export interface Fired {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Stand-ins for the host's timers, as small programs in a folder for PATH: `systemd-run` and `systemctl`, `at` and `atrm`. They keep what
 * they are told, and never fire by themselves.
 */
export interface Timers {
  /** To be put in front of PATH. */
  readonly folder: string;
  /** The timers that wait: a unit's name, or a job's number. */
  armed(): Promise<readonly string[]>;
  /** The words that armed it, or the script of a job. */
  told(name: string): Promise<readonly string[]>;
  /** Runs what it was told to run, as the host does: with its own environment, and no other. The timer is gone then. */
  fire(name: string): Promise<Fired>;
  /** From now on, systemd does not answer; `arming`: it takes no timers. `kill-before`, `kill-after`: it kills who arms one. */
  break(how: "systemd" | "arming" | "at" | "kill-before" | "kill-after"): Promise<void>;
  mend(how: "systemd" | "arming" | "at" | "kill-before" | "kill-after"): Promise<void>;
}

/** The lines of each; `$D` is their folder. */
const TOOLS: Readonly<Record<string, string>> = {
  "systemd-run": `
[ -e "$D/no-arming" ] && { echo "Failed to start transient timer unit: no" >&2; exit 1; }
[ -e "$D/no-kill-before" ] && kill -KILL $PPID
for w do case "$w" in --unit=*) unit=\${w#--unit=}.timer;; esac; done
printf '%s\\n' "$@" > "$D/units/$unit.new"; mv "$D/units/$unit.new" "$D/units/$unit"
[ -e "$D/no-kill-after" ] && kill -KILL $PPID; exit 0`,
  systemctl: `
[ -e "$D/no-systemd" ] && { echo "System has not been booted with systemd as init system" >&2; exit 1; }
for last do :; done
case " $* " in
*" --property=Version "*) echo 252;;
*" stop "*) rm "$D/units/$last" 2>/dev/null || { echo "Failed to stop $last: Unit $last not loaded." >&2; exit 5; };;
*" show "*) echo NextElapseUSecRealtime="$([ -e "$D/units/$last" ] && echo Fri)"; echo LastTriggerUSec=;;
esac`,
  at: `
[ -e "$D/no-at" ] && { echo "You do not have permission to use at." >&2; exit 1; }
case "$1" in
-V) echo at version 3.2.5;;
-c) cat "$D/units/$2";;
-t) n=$(($(cat "$D/count") + 1)); echo $n > "$D/count"; { env | sed 's/^/# /'; echo "# -t $2 in $(pwd)"; cat; } > "$D/units/$n"
  echo "warning: commands will be executed using /bin/sh" >&2; echo "job $n at Fri Nov 27 07:00:00 2026" >&2;;
esac`,
  atrm: `rm "$D/units/$1"`,
};

/** Makes the stand-ins in a folder, which has to be there. */
export async function timersIn(folder: string): Promise<Timers> {
  await mkdir(join(folder, "units"));
  await writeFile(join(folder, "count"), "0\n");
  for (const [name, text] of Object.entries(TOOLS)) {
    await writeFile(join(folder, name), `#!/bin/sh\nD='${folder}'\n${text.trim()}\n`);
    await chmod(join(folder, name), 0o755);
  }
  const told = async (name: string): Promise<readonly string[]> =>
    (await readFile(join(folder, "units", name), "utf8")).trimEnd().split("\n");
  return {
    folder,
    armed: () => readdir(join(folder, "units")),
    told,
    break: (how) => writeFile(join(folder, `no-${how}`), ""),
    mend: (how) => rm(join(folder, `no-${how}`)),
    async fire(name) {
      const words = await told(name);
      await rm(join(folder, "units", name));
      const at = words.indexOf("--");
      if (at < 0) return run("/bin/sh", ["-c", words.join("\n")], folder);
      const variables = words.slice(0, at).flatMap((word) => (word.startsWith("--setenv=") ? [word.slice("--setenv=".length)] : []));
      return run("env", ["-i", `PATH=${folder}:/usr/bin:/bin`, ...variables, ...words.slice(at + 1)], folder);
    },
  };
}

function run(program: string, words: readonly string[], folder: string): Promise<Fired> {
  const options = { cwd: "/", env: { PATH: `${folder}:/usr/bin:/bin` } };
  return new Promise((resolve) => {
    execFile(program, words, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr }),
    );
  });
}
