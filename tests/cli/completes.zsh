# zsh -f completes.zsh FOLDER LINE...: what zsh, with the completion script in FOLDER, offers for each line: one line of answers each.
#
# A second zsh sits in a pseudo terminal; its TAB completes, with compadd wrapped to print what it is given, and then says so.
zmodload zsh/zpty
folder=$1
shift
zpty -b inner zsh -f -i
zpty -w inner "PS1=; fpath=(${(q)folder} \$fpath); autoload -Uz compinit; compinit -u -D
compadd() { local -a hits; builtin compadd -A hits \"\$@\"; print -rl -- \"<\"\${^hits}\">\"; builtin compadd \"\$@\" }
ask() { _main_complete; print -r -- ANS\"\"WERED; compstate[insert]=; compstate[list]= }
zle -C ask complete-word ask; bindkey '^I' ask; bindkey '^X' kill-buffer; print -r -- RE\"\"ADY"
zpty -r -m inner seen '*READY*'
for line; do
  zpty -w -n inner $'\C-x'"$line"$'\t'
  zpty -r -m inner seen '*ANSWERED*'
  print -r -- ${(j: :)${(M)${(s:<:)seen}:#*'>'*}%%'>'*}
done
zpty -d inner
