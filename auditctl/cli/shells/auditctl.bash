# Completes auditctl and pgauditctl in bash 4.4 or later. Made by: auditctl completion bash
_auditctl_completion() {
    local program=${1/#\~\//$HOME/} kind value
    COMPREPLY=()
    while IFS=$'\t' read -r kind value _; do
        if [[ $kind == file ]]; then
            compopt -o default
        elif [[ $kind == folder ]]; then
            compopt -o dirnames
        elif [[ $kind == value ]]; then
            COMPREPLY+=("$value")
        fi
    done < <(
        _AUDITCTL_COMPLETE=bash _AUDITCTL_LINE=${COMP_LINE:0:COMP_POINT} _AUDITCTL_BREAKS=$COMP_WORDBREAKS \
            "$program" 2>/dev/null </dev/null
    )
}
complete -o nosort -F _auditctl_completion auditctl pgauditctl
