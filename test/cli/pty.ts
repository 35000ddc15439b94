import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { foldersNowhere, program } from "./program.ts";

/** A program in a terminal of its own. */
export interface Pty extends AsyncDisposable {
  type(keys: string): void;
  /** Resolves with what was drawn since the last time, without colours and moves, as soon as it has this in it. */
  says(wanted: string | RegExp): Promise<string>;
  /** Resolves as soon as all that was written, as it came, is as it has to be. */
  writes(isIt: (output: string) => boolean): Promise<void>;
  readonly ended: Promise<number | null>;
}

/** Starts the built program in a terminal. */
export function startInTerminal(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Pty {
  return programInTerminal([process.execPath, program, ...argv], env);
}

/** How large a terminal is. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Starts a program under script(1) of util-linux, which gives it a terminal and ends as it ends. */
export function programInTerminal(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { columns, rows }: TerminalSize = { columns: 80, rows: 40 },
): Pty {
  const command = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const child: ChildProcess = spawn(
    "setpriv",
    ["--pdeathsig", "KILL", "--", "script", "-qec", `stty cols ${columns} rows ${rows}; exec ${command}`, "/dev/null"],
    {
      env: { PATH: process.env["PATH"], TERM: "xterm", SHELL: "/bin/sh", NODE_DISABLE_COMPILE_CACHE: "1", ...foldersNowhere(), ...env },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  let text = "";
  let seen = 0;
  let look = (): void => {};
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    look();
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const over = ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${plain(text)}`)));
  over.catch(() => {});
  const fresh = (): string => plain(text.slice(seen));
  const matches = (wanted: string | RegExp): boolean => (typeof wanted === "string" ? fresh().includes(wanted) : wanted.test(fresh()));
  const until = async (isIt: () => boolean, what: () => string): Promise<void> => {
    const late = AbortSignal.timeout(20_000);
    const tooLate = new Promise<never>((_, reject) =>
      late.addEventListener("abort", () => reject(new Error(`no ${what()} within 20 s: ${JSON.stringify(fresh())}`))),
    );
    while (!isIt()) await Promise.race([new Promise<void>((resolve) => (look = resolve)), over, tooLate]);
  };
  return {
    ended,
    type: (keys) => void child.stdin?.write(keys),
    async says(wanted) {
      await until(
        () => matches(wanted),
        () => String(wanted),
      );
      const found = fresh();
      seen = text.length;
      return found;
    },
    writes: (isIt) =>
      until(
        () => isIt(text),
        () => String(isIt),
      ),
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A bash with our completion. */
export async function bashInTerminal(env: Readonly<Record<string, string>>): Promise<Pty> {
  const bash = programInTerminal(["bash", "--norc", "--noprofile", "-i"], { HISTFILE: "", PS1: "now> ", ...env });
  const show = `bind -x '"\\C-xs": echo "<$READLINE_LINE>"; READLINE_LINE='`;
  bash.type(`bind 'set enable-bracketed-paste off'; ${show}; source <(qmpctl completion bash); echo RE""ADY\n`);
  await bash.says("READY\nnow> ");
  return bash;
}

/** A zsh with our completion. */
export async function zshInTerminal(env: Readonly<Record<string, string>>): Promise<Pty> {
  const zsh = programInTerminal(["zsh", "-f", "-i"], { PS1: "now> ", ...env });
  const show = `show() { zle -I; print -r -- "<$BUFFER>"; BUFFER= }; zle -N show; bindkey '^Xs' show`;
  zsh.type(`unsetopt zle_bracketed_paste prompt_cr prompt_sp; unset zle_bracketed_paste; autoload -Uz compinit; compinit -D -u; ${show}\n`);
  zsh.type(`source <(qmpctl completion zsh); echo RE""ADY\n`);
  await zsh.says(/READY\n.*now> /);
  return zsh;
}

/** A fish with our completion. */
export async function fishInTerminal(env: Readonly<Record<string, string>>): Promise<Pty> {
  const fish = programInTerminal(["fish", "-N", "-i"], { fish_greeting: "", ...env });
  fish.type(
    `function fish_prompt; echo 'now> '; end; bind \\cxs 'echo; echo "<"(commandline)">"; commandline ""; commandline -f repaint'\n`,
  );
  fish.type(`qmpctl completion fish | source; echo RE""ADY\n`);
  await fish.says(/READY\n[^]*now> /);
  return fish;
}

/** What the line of a shell is after some words and a TAB. */
export async function lineIn(bash: Pty, typed: string): Promise<string | undefined> {
  bash.type(`${typed}\t\u0018s`);
  return /<(.*)>\n/.exec(await bash.says(/<.*>\n[^]*now> /))?.[1];
}

function plain(text: string): string {
  return text.replaceAll(/\u001b\[[\d;]*[A-Za-z]/g, "").replaceAll("\r", "");
}
