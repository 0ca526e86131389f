"""`auditctl completion`: prints the script that completes command lines in a shell, and answers that script."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete

from auditctl.cli import shell_words
from auditctl.cli.printing import print_text
from auditctl.cli.shell_words import LastWord

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_AUDITCTL_COMPLETE"
"""The variable by which a script asks for values instead of running a command; its value is the shell."""

_SCRIPTS = Path(__file__).with_name("shells")


@click.command(short_help="Print the script that completes command lines in a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script with which the tab key completes auditctl's command lines, for bash, zsh or fish.

    It completes commands, options and their values: tables, labels, users, columns, logins, holds and files. Names come
    from the database that --dsn on the line, AUDITCTL_DSN or libpq's environment name. If it does not answer within a
    second, without a prompt, there are none. Put the script where the shell looks for it, and start a new shell:

    \b
    Examples:
      auditctl completion bash > ~/.local/share/bash-completion/completions/auditctl
      auditctl completion zsh > /usr/local/share/zsh/site-functions/_auditctl
      auditctl completion fish > ~/.config/fish/completions/auditctl.fish

    bash needs the package bash-completion for that; without it, source the script in ~/.bashrc.
    zsh may look in other folders, which fpath lists, and needs compinit. For pgauditctl in bash and fish, put a copy
    under that name next to it.
    """
    print_text((_SCRIPTS / f"auditctl.{shell}").read_text("utf-8"), end="")


def answer(cli: click.Command, shell: str) -> str:
    """Return the values for the line that a script has put into the environment: a line each, empty if any step fails.

    A line has three fields with tabs between: `value`, `file` or `folder`; the value as the shell has to insert it;
    and its explanation, which may be empty.

    Args:
        cli: The command line's entry point.
        shell: The shell; bash gets values in quotes, the others quote them.
    """
    try:
        if shell == "bash":
            words, last = shell_words.split(os.environ["_AUDITCTL_LINE"], os.environ.get("_AUDITCTL_BREAKS", ""))
        else:
            words = os.environ["_AUDITCTL_WORDS"].split("\n")
            last = LastWord(os.environ["_AUDITCTL_CURRENT"])
            if shell == "fish":
                last = LastWord(shell_words.split(last.text)[1].text)
        items = _items(cli, words[1:], last.text)
    except Exception:  # noqa: BLE001 - a shell that completes has no place for messages
        return ""
    lines = []
    for item in items:
        value = last.completion(item.value) if shell == "bash" else item.value
        if value is not None:
            is_value = item.type == "plain"
            help_text = " ".join((item.help or "").split())
            lines.append(f"value\t{value}\t{help_text}\n" if is_value else f"{item.type}\t\t\n")
    return "".join(lines)


def _items(cli: click.Command, words: list[str], start: str) -> list[CompletionItem]:
    """Return what completes a word, each with the option in front of it where both are one word."""
    complete = ShellComplete(cli, {}, "auditctl", VARIABLE).get_completions
    if words[-1:] and words[-1].startswith("-") and words[-1] != "--":
        # click reads no argument of a line whose last option has no value yet.
        return complete(words[:-1], f"{words[-1]}={start}")
    option, equals, _ = start.partition("=")
    items = complete(words, start)
    if equals and option.startswith("-"):
        return [CompletionItem(f"{option}={item.value}", type=item.type, help=item.help) for item in items]
    return items
