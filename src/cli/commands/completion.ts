import { misuse } from "../options.ts";
import type { Verb } from "../verb.ts";

/**
 * The script asks the program itself for verbs and options, so that it is never out of date; names of domains are those of
 * the configs, since asking each machine would take its time at every TAB.
 */
const bash = `_qmpctl() {
  local word=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[1]} folder=\${QMPCTL_CONFIG_DIR:-}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "$(qmpctl help 2>/dev/null | sed -n '/^DOMAIN/q; s/^  \\(-*[a-z]*\\) .*/\\1/p')" -- "$word"))
  elif [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$(qmpctl "$verb" --help 2>/dev/null | grep -o -- '--[a-z-]*' | sort -u)" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ "$verb" = help ]; then
    COMPREPLY=($(compgen -W "$(qmpctl help 2>/dev/null | sed -n '/^DOMAIN/q; s/^  \\([a-z]*\\) .*/\\1/p')" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ "$verb" != define ]; then
    if [ -z "$folder" ]; then
      if [ "$(id -u)" -eq 0 ]; then folder=/etc/qmpctl; else folder=\${XDG_CONFIG_HOME:-$HOME/.config}/qmpctl; fi
    fi
    COMPREPLY=($(compgen -W "$(cd "$folder" 2>/dev/null && ls -- *.json 2>/dev/null | sed 's/\\.json$//')" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _qmpctl qmpctl
`;

export const verb: Verb = {
  usage: ["completion bash"],
  summary: "print a script that has bash complete verbs, options, domains",
  details: ["For this shell: source <(qmpctl completion bash). For every shell: qmpctl completion bash > ~/.local/share/bash-completion/completions/qmpctl"],
  options: {},
  operands: { names: ["SHELL"], required: 1 },
  async run({ args, io }) {
    const shell = args.operand(0);
    if (shell !== "bash") throw misuse(`${shell}: there is a script for bash only`, shell, "bash");
    io.stdout.write(bash);
    return 0;
  },
};
