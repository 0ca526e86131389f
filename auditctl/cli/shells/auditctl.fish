# Completes auditctl and pgauditctl in fish 3.4 or later. Made by: auditctl completion fish
function __auditctl_completion
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l lines (
        _AUDITCTL_COMPLETE=fish _AUDITCTL_WORDS=(string join \n -- $words | string collect) \
            _AUDITCTL_CURRENT=(commandline -ct | string collect) $program 2>/dev/null </dev/null
    )
    for line in $lines
        set -l fields (string split \t -- $line)
        switch $fields[1]
            case file
                __fish_complete_path (commandline -ct)
            case folder
                __fish_complete_directories (commandline -ct)
            case value
                if set -q fields[3]; and test -n "$fields[3]"
                    printf '%s\t%s\n' $fields[2] $fields[3]
                else
                    printf '%s\n' $fields[2]
                end
        end
    end
end
complete -c auditctl -f -a '(__auditctl_completion)'
complete -c pgauditctl -f -a '(__auditctl_completion)'
