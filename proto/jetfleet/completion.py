"""Completion scripts for shells, from a command's words: static, so that a shell never waits for the command. Pure."""

from collections.abc import Mapping, Sequence

SHELLS = ("bash", "zsh", "fish")
# What may follow a verb, `job show`; the empty verb holds the verbs themselves.
Words = Mapping[str, Sequence[str]]


def script(shell: str, command: str, words: Words) -> str:
    """Raises KeyError for a shell that is not one of SHELLS."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](command, words)


def _bash(command: str, words: Words) -> str:
    cases = "".join(f'    "{verb}") words="{" ".join(found)}" ;;\n' for verb, found in words.items())
    return f"""_{command}_words() {{
  local words="" path="" word current="${{COMP_WORDS[COMP_CWORD]}}"
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "${{path:+$path }}$word" in {_known(words)}) path="${{path:+$path }}$word" ;; esac
  done
  case "$path" in
{cases}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _{command}_words {command}
"""


def _zsh(command: str, words: Words) -> str:
    return f"autoload -U +X bashcompinit && bashcompinit\n{_bash(command, words)}"


def _fish(command: str, words: Words) -> str:
    lines = []
    for path, found in words.items():
        seen = " and ".join(f"__fish_seen_subcommand_from {verb}" for verb in path.split())
        condition = seen.replace(" and ", "; and ") or "__fish_use_subcommand"
        for word in found:
            what = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            lines.append(f"complete -c {command} -n '{condition}' {what}\n")
    return "".join(lines)


def _known(words: Words) -> str:
    return "|".join(f'"{path}"' for path in words if path) or '""'
