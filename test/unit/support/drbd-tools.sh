#!/bin/bash
# drbdadm, drbdsetup, modprobe and modinfo as the drivers' tests have them: a small DRBD 8.4 made of files. Every call is
# written to `argv`. A file `override` is read first and may answer instead; `keeps` in it ends without a change.
# The state: `state` (KEY=VALUE), told by `events2` as 8.4 does; `stream` takes the changes.
set -u
here=$(dirname "$(readlink -f "$0")")
tool=${0##*/}
state=$here/state
stream=$here/stream
# shellcheck disable=SC1090
. "$state"

dump() {
  [[ $UP = yes ]] || { echo "exists -"; return; }
  echo "exists resource name:r0 role:$ROLE suspended:$SUSP"
  echo "exists connection name:r0 peer-node-id:0 conn-name:peer connection:$CONN role:$PEERROLE"
  echo "exists device name:r0 volume:0 minor:$MINOR disk:$DISK"
  echo "exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:$REPL peer-disk:$PEERDISK"
  echo "exists -"
}

# become KEY VALUE: changes the state, and says so.
become() {
  sed -i "s/^$1=.*/$1=$2/" "$state"
  printf -v "$1" %s "$2"
  local peer="peer-node-id:0 conn-name:peer"
  case $1 in
    ROLE) echo "change resource name:r0 role:$2" ;;
    SUSP) echo "change resource name:r0 suspended:$2" ;;
    CONN) echo "change connection name:r0 $peer connection:$2" ;;
    PEERROLE) echo "change connection name:r0 $peer role:$2" ;;
    DISK) echo "change device name:r0 volume:0 minor:$MINOR disk:$2" ;;
    REPL) echo "change peer-device name:r0 $peer volume:0 replication:$2" ;;
    PEERDISK) echo "change peer-device name:r0 $peer volume:0 peer-disk:$2" ;;
    UP) if [[ $2 = yes ]]; then dump | sed '/^exists -/d; s/^exists/create/'; else echo "destroy resource name:r0"; fi ;;
  esac >>"$stream"
}

# refuse NUMBER TEXT [EXIT-CODE]: as drbdsetup-84 says it, and drbdadm after it; for `override`.
# shellcheck disable=SC2317
refuse() {
  echo "0: State change failed: ($1) $2" >&2
  echo "Command 'drbdsetup-84 ${words[0]} 0' terminated with exit code ${3:-11}" >&2
  exit "${3:-11}"
}

words=("$@")
if [[ $tool = set-state ]]; then
  become "$1" "$2"
  exit 0
fi
echo "$tool $*" >>"$here/argv"
if [[ -e $here/override ]]; then
  # shellcheck disable=SC1091
  . "$here/override"
fi
case "$tool $*" in
  "drbdsetup events2 --now all") dump ;;
  "drbdsetup events2 all")
    size=$(stat -c %s "$stream")
    dump
    echo $$ >"$here/stream.pid"
    exec tail -s 0.02 -c +$((size + 1)) -f "$stream"
    ;;
  "drbdadm primary "*) become ROLE Primary ;;
  "drbdadm secondary "*) become ROLE Secondary ;;
  "drbdadm disconnect "*) become CONN StandAlone && become REPL Off && become PEERROLE Unknown ;;
  "drbdadm connect "*) become CONN Connecting ;;
  "drbdadm suspend-io r0") become SUSP user ;;
  "drbdadm resume-io r0") become SUSP no ;;
  "drbdadm detach "*) become DISK Diskless ;;
  "drbdadm outdate r0") become DISK Outdated ;;
  "drbdadm down r0") become UP no ;;
  "drbdadm up r0")
    sed -i 's/^DISK=.*/DISK=Consistent/; s/^CONN=.*/CONN=Connecting/' "$state"
    # shellcheck disable=SC1090
    . "$state"
    become UP yes
    ;;
  "drbdsetup show r0") cat "$here/show" 2>/dev/null ;;
esac
exit 0
