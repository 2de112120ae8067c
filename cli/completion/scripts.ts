/**
 * Scripts that make a shell complete the words of `oriel`. What is typed goes to `oriel complete` as arguments, exactly as
 * it stands, and is evaluated by no shell. The reply has a line for each word, `VALUE[TAB DESCRIPTION]`, and a last one of
 * `:none`, `:files` or `:directories`: what the shell completes by itself besides.
 */
export const SCRIPTS = { bash, zsh, fish } as const satisfies Record<string, (program: string) => string>;

/**
 * readline takes `=` and `:` for borders of words, we do not: what follows another word without a blank belongs to it.
 * Bash is to replace what follows the last border alone.
 */
function bash(program: string): string {
  return `# bash completion of oriel: source this file, or write it to /usr/share/bash-completion/completions/oriel
_oriel() {
  local rest=\${COMP_LINE:0:COMP_POINT} value index trimmed
  local -a words=()
  for ((index = 0; index <= COMP_CWORD; index++)); do
    trimmed=\${rest#"\${rest%%[![:space:]]*}"}
    value=\${COMP_WORDS[index]}
    value=\${trimmed:0:\${#value}}
    if ((index > 0 && \${#trimmed} == \${#rest} && \${#trimmed} > 0)); then
      words[-1]+=$value
    else
      words+=("$value")
    fi
    rest=\${trimmed:\${#value}}
  done
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case $value in
      :none) ;;
      :files) compopt -o default ;;
      :directories) compopt -o dirnames ;;
      *) COMPREPLY+=("$value") ;;
    esac
  done < <(${program} complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _oriel oriel
`;
}

function zsh(program: string): string {
  return `#compdef oriel
# zsh completion of oriel: write this to a file _oriel in a directory of $fpath
_oriel_files() {
  # zsh itself evaluates what stands before a slash; a variable's name may.
  [[ $PREFIX == *(\\\`|\\$[^A-Za-z_])* ]] || _files "$@"
}
_oriel() {
  local line value
  local -a lines values shown
  lines=("\${(@f)$(${program} complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ $PREFIX == --*=* ]] && compset -P 1 '*='
  for line in $lines; do
    value=\${line%%$'\\t'*}
    case $value in
      :none | '') ;;
      :files) _oriel_files ;;
      :directories) _oriel_files -/ ;;
      *)
        values+=("$value")
        shown+=("\${line/$'\\t'/  -- }")
        ;;
    esac
  done
  ((\${#values})) && compadd -l -d shown -a values
}
if [ "\${funcstack[1]}" = _oriel ]; then _oriel; else compdef _oriel oriel; fi
`;
}

function fish(program: string): string {
  return `# fish completion of oriel: write this to ~/.config/fish/completions/oriel.fish
function __oriel_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l option (string match -r -- '^--[a-z-]+=' "$word")
    for line in (${program} complete -- $words[2..-1] "$word" 2>/dev/null)
        switch $line
            case :none
            case :files
                __fish_complete_path "$word"
            case :directories
                __fish_complete_directories "$word" ''
            case '*'
                echo "$option$line"
        end
    end
end
complete -c oriel -f -a '(__oriel_complete)'
`;
}
