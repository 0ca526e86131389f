#compdef auditctl pgauditctl
# Completes auditctl and pgauditctl in zsh. Made by: auditctl completion zsh
_auditctl() {
    local program=${${(Q)words[1]}/#\~\//$HOME/} current=$PREFIX line
    local -a fields plain explained shown
    [[ $compstate[quote] == "'" ]] || current=${(Q)PREFIX}
    for line in "${(@f)$(
        _AUDITCTL_COMPLETE=zsh _AUDITCTL_WORDS="${(F)${(@Q)words[1,CURRENT-1]}}" _AUDITCTL_CURRENT=$current \
            $program 2>/dev/null </dev/null
    )}"; do
        fields=("${(@ps:\t:)line}")
        case $fields[1] in
            (file) _files ;;
            (folder) _files -/ ;;
            (value)
                if [[ -n $fields[3] ]]; then
                    explained+=("$fields[2]") shown+=("$fields[2]  -- $fields[3]")
                else
                    plain+=("$fields[2]")
                fi ;;
        esac
    done
    (( $#plain )) && compadd -V values -a plain
    (( $#explained )) && compadd -V explained -l -d shown -a explained
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _auditctl "$@"
else
    compdef _auditctl auditctl pgauditctl
fi
