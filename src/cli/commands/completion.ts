import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** Each script asks the program how the line can go on (`qmpctl __complete WORD...`), so that no script is ever out of date. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_qmpctl() {
  local line word=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
    else
      COMPREPLY+=("$line")
    fi
  done < <(qmpctl __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _qmpctl qmpctl
`,
  zsh: `#compdef qmpctl
_qmpctl() {
  local line files
  local -a found
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else found+=("$line"); fi
  done < <(qmpctl __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && compadd -- "\${found[@]}"
  [[ -n $files ]] && _files
}
if [[ \${funcstack[1]-} == _qmpctl ]]; then _qmpctl "$@"; else compdef _qmpctl qmpctl; fi
`,
  fish: `function __qmpctl_complete
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  for line in (command qmpctl __complete $words[2..-1] "$word" 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path "$word"
    else
      echo $line
    end
  end
end
complete -c qmpctl -f -a '(__qmpctl_complete)'
`,
};

export const verb: Verb = defineVerb({
  usage: ["completion bash", "completion zsh", "completion fish"],
  summary: "print a script that makes a shell complete qmpctl's words",
  details: [
    "bash, for this shell: source <(qmpctl completion bash)",
    "bash, for every shell: qmpctl completion bash > ~/.local/share/bash-completion/completions/qmpctl",
    "zsh: source <(qmpctl completion zsh), after compinit. Or write it to DIR/_qmpctl, with DIR in fpath.",
    "fish: qmpctl completion fish > ~/.config/fish/completions/qmpctl.fish",
  ],
  examples: [
    ["completion bash", "the script, for source <(…)"],
    ["completion zsh", "the same for zsh"],
  ],
  options: {},
  operands: { names: ["SHELL"], required: 1 },
  async run({ args, io }) {
    const shell = args.operand(0);
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined) throw misuse(`${shell}: there are scripts only for bash, zsh and fish`, shell, "bash, zsh or fish");
    io.stdout.write(script);
    return EXIT.done;
  },
});
