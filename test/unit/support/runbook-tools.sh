#!/bin/sh
# The tools that a runbook calls, over a host that is a directory ($HOST): files there say what is so, and `ran` keeps
# every call that changes something, a word a line. Called under the name of the tool.
tool=$(basename "$0")
did() { printf '%s\n' "$tool" "$@" '' >>"$HOST/ran"; }
has() { [ -e "$HOST/$1" ]; }
printf '%s\n' "$tool $*" >>"$HOST/calls"

case $tool in
  sleep | logger | flock | awk | id | systemctl)
    case $tool in
      id) echo 0 ;;
      awk) has daemon ;;
      systemctl) if has unit; then echo active; else echo inactive; fi ;;
      sleep) echo . >>"$HOST/slept" ;;
    esac
    ;;
  ip)
    case "$*" in
      '-o address show'*) cat "$HOST/addresses" ;;
      *' add '*) did "$@"; printf '2: %s inet %s scope global\n' "$5" "$3" >>"$HOST/addresses" ;;
      *' del '*) did "$@"; grep -vF " $3 " "$HOST/addresses" >"$HOST/new"; mv "$HOST/new" "$HOST/addresses" ;;
      'link set '*) did "$@"; if has no-bridge; then exit 1; fi ;;
      *) did "$@" ;;
    esac
    ;;
  ping) has peer-lives ;;
  arping)
    case "$*" in
      *-D*)
        has announced && echo 'Broadcast request from 192.168.1.1 [02:00:00:00:00:01] for 192.168.1.1 [FF:FF:FF:FF:FF:FF] 707.441ms'
        has announced && echo 'Broadcast reply from 192.168.1.1 [02:00:00:00:00:01]  708.012ms'
        has address-elsewhere && echo 'Unicast reply from 192.168.1.1 [02:00:00:00:00:01]  0.628ms'
        ! { has announced || has address-elsewhere; }
        ;;
      *-U* | *-A*) did "$@" ;;
      *) has peer-lives ;;
    esac
    ;;
  findmnt)
    case "$*" in
      *--source*) grep -qxF "$2 $4" "$HOST/mounts" ;;
      *) grep -F " $2" "$HOST/mounts" ;;
    esac
    ;;
  mount)
    did "$@"
    for word in "$@"; do before=${last-} last=$word; done
    printf '%s %s\n' "$before" "$last" >>"$HOST/mounts"
    ;;
  umount) did "$@"; if has busy; then exit 32; fi; : >"$HOST/mounts" ;;
  drbdsetup) echo '    fencing         	resource-and-stonith;' ;;
  drbdadm)
    case $1 in
      role) cat "$HOST/role" ;;
      dstate) cat "$HOST/dstate" ;;
      cstate) cat "$HOST/cstate" ;;
      status) echo '  peer replication:SyncSource peer-disk:Inconsistent done:41.7' ; has bare || echo UpToDate/UpToDate >"$HOST/dstate" ;;
      *)
        did "$@"
        case "$*" in
          'up '*) for what in role cstate dstate; do rm -f "$HOST/$what"; mv "$HOST/$what-up" "$HOST/$what" 2>/dev/null; done ;;
          'disconnect '*) echo StandAlone >"$HOST/cstate" ;;
          'connect '*) if has split; then echo StandAlone; elif has peer-lives; then echo Connected; else echo Connecting; fi >"$HOST/cstate" ;;
          'secondary '*) if has busy; then exit 11; fi; echo Secondary/Unknown >"$HOST/role" ;;
          'primary --force '*) echo Primary/Unknown >"$HOST/role" ;;
          'primary '*)
            case $(cat "$HOST/dstate") in Outdated* | Inconsistent*) echo 'State change failed: (-2) Need access to UpToDate data' >&2; exit 17 ;; esac
            if has fencing; then echo 'State change failed: (-7) Refusing to be Primary while peer is not outdated' >&2; exit 17; fi
            echo Primary/Unknown >"$HOST/role"
            ;;
          *--fencing=dont-care*) rm -f "$HOST/fencing" ;;
        esac
        ;;
    esac
    ;;
  virsh)
    while [ "$1" = -c ]; do shift 2; done
    has libvirt || exit 1
    if has libvirt-hangs; then exec /bin/sleep 1000; fi
    case $1 in
      domstate) [ -e "$HOST/domain-$2" ] && cat "$HOST/domain-$2" ;;
      dumpxml) for word in "$@"; do last=$word; done; cat "$HOST/xml-$last" 2>/dev/null ;;
      list) ;;
      help) echo '    --keep-tpm' ;;
      domuuid) [ -e "$HOST/xml-$2" ] && sed -n 's,.*<uuid>\(.*\)</uuid>.*,\1,p' "$HOST/xml-$2" ;;
      domname) file=$(grep -l "<uuid>$2<" "$HOST"/xml-*) && basename "$file" | sed 's/^xml-//' ;;
      undefine) did "$@"; rm -f "$HOST/xml-$2" "$HOST/domain-$2" ;;
      domrename)
        did "$@"
        file=$(grep -l "<uuid>$2<" "$HOST"/xml-*) && mv "$file" "$HOST/xml-$3"
        mv "$HOST/domain-$(basename "$file" | sed 's/^xml-//')" "$HOST/domain-$3"
        ;;
      dominfo) has "domain-$2" ;;
      define) did "$@"; name=$(basename "$2" .xml); cp "$2" "$HOST/xml-$name"; [ -e "$HOST/domain-$name" ] || echo 'shut off' >"$HOST/domain-$name" ;;
      start) did "$@"; if has "broken-$2"; then exit 1; fi; echo running >"$HOST/domain-$2" ;;
      shutdown)
        did "$@"
        if [ "$4" = agent ]; then exit 1; fi
        echo 'shut off' >"$HOST/domain-$2"
        ;;
      *) did "$@" ;;
    esac
    ;;
  pgrep) has "process-$(printf '%s' "$2" | sed 's,.*/\(.*\)\\\.pid.*,\1,' | tr -d '\134')" ;;
  qemu-system-x86_64)
    did "$@"
    for word in "$@"; do case $word in guest=*) touch "$HOST/process-$(printf '%s' "$word" | sed 's/guest=\([^,]*\).*/\1/')" ;; esac; done
    ;;
  socat)
    input=$(cat)
    printf '%s\n' "$input" >>"$HOST/qmp"
    case $input in
      *query-status*) if has halted; then echo '{"return": {"status": "paused", "running": false}}'; else echo '{"return": {"running": true}}'; fi ;;
      *) rm -f "$HOST"/process-* ;;
    esac
    ;;
  timeout)
    if [ "$1" = --foreground ]; then exec /usr/bin/timeout "$@"; fi
    did "$@"
    ;;
  *) did "$@" ;;
esac
