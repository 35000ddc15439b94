import { EXIT } from "../exit-code.ts";
import { misuse } from "../options.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** Each script asks the program how the line can go on (`qmpctl __complete WORD...`), so that no script is ever out of date. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_qmpctl() {
  local line word at rest=\${COMP_LINE:0:COMP_POINT} breaks=\${COMP_WORDBREAKS//[^:=@]/}
  local -a words=()
  COMPREPLY=()
  # Bash parts words at : = and @ too. What no blank parts is one word; the last one ends at the cursor.
  for ((at = 0; at <= COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if ((at == 0)) || [[ $rest == [[:blank:]]* ]]; then
      rest=\${rest#"\${rest%%[![:blank:]]*}"}
      words+=("")
    fi
    ((at == COMP_CWORD)) && word=$rest
    words[\${#words[@]} - 1]+=$word
    rest=\${rest#"$word"}
  done
  for ((at = 0; at < \${#words[@]} - 1; at++)); do
    case \${words[at]} in
      \\"*\\" | \\'*\\') words[at]=\${words[at]:1:\${#words[at]} - 2} ;;
    esac
  done
  word=\${words[\${#words[@]} - 1]}
  # It puts in what stands behind the last of them (an @ with it), or behind a quote.
  case $word in
    [\\"\\']*) word=\${word:1} breaks= ;;
  esac
  words[\${#words[@]} - 1]=$word
  rest=
  [[ -n $breaks ]] && rest=\${word%"\${word##*[$breaks]}"} rest=\${rest%@}
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("\${line#"$rest"}"); done < <(compgen -f -- "$word")
    else
      [[ $line == *[/=] ]] && compopt -o nospace 2>/dev/null
      COMPREPLY+=("\${line#"$rest"}")
    fi
  done < <(qmpctl __complete "\${words[@]:1}" 2>/dev/null)
}
complete -F _qmpctl qmpctl
`,
  zsh: `#compdef qmpctl
_qmpctl() {
  local line files
  local -a found open
  while IFS= read -r line; do
    case $line in
      :files) files=1 ;;
      */|*=) open+=("$line") ;;
      *) found+=("$line") ;;
    esac
  done < <(qmpctl __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && compadd -- "\${found[@]}"
  (( \${#open} )) && compadd -S '' -- "\${open[@]}"
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
    "Behind -H HOST and ssh://HOST/ that host is asked, for 2 seconds at most (QMPCTL_COMPLETION_TIMEOUT) and never for a password.",
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
