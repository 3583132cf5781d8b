// The shell functions that every runbook has: how it speaks, asks, looks, runs a command, and finds out that the daemon
// runs. POSIX only, so that dash and busybox take it; nothing here names a group or a node.

/** Of the shell's first argument. */
const firstWord = `\${1%% *}`;

/** What a step is made of. `run` closes the lock's descriptor, which a guest would otherwise keep for its life. */
export const commonLibrary = String.raw`say() { printf '%s\n' "$*"; }
problem() { printf '%s\n' "$*" >&2; }

# Ends the script: what is wrong, and what to do now.
stop() {
  problem "STOP: $1"
  problem "next: $2"
  problem "What was done stays done. Run again, this script goes on from there."
  exit 1
}

# A question for yes or no; no answer is a no. --yes answers it.
agreed() {
  if [ "$dry_run" = yes ]; then
    say "(asks) $1 [y/N]"
    return 0
  fi
  if [ "$yes" = yes ]; then
    say "$1 [y/N] yes, by --yes"
    return 0
  fi
  printf '%s [y/N] ' "$1"
  answer=
  read -r answer || say
  case $answer in
    y | Y | yes | YES) return 0 ;;
  esac
  return 1
}

# A command line: shown, noted in the system's log, and run; in a dry run only shown.
run() {
  printf '+ %s\n' "$1"
  [ "$dry_run" = no ] || return 0
  if command -v logger >/dev/null 2>&1; then logger -t battito-runbook -- "$1" 2>/dev/null </dev/null 9>&- || true; fi
  eval "$1" </dev/null 9>&-
}

# A look, which changes nothing. In a dry run it is only shown, and taken to say that there is something to do.
holds() {
  if [ "$dry_run" = yes ]; then
    printf '? %s\n' "$1"
    return 1
  fi
  eval "$1" </dev/null >/dev/null 2>&1 9>&-
}

# can_ask QUESTION WHETHER: says so where the program that asks, its first word, is not there.
can_ask() {
  asker=${firstWord}
  if [ "$dry_run" = yes ] || command -v "$asker" >/dev/null 2>&1; then return 0; fi
  problem "   $asker is missing, so nobody has asked whether $2"
  return 1
}

# unless LOOK LINE...: runs the lines one by one, unless it is so already.
unless() {
  look=$1
  shift
  if holds "$look"; then
    say "   it is so already"
    return 0
  fi
  for line in "$@"; do
    if ! run "$line"; then
      problem "   this failed: $line"
      return 1
    fi
  done
}

# step TITLE LOOK LINE...: as unless; and in the end it must be so.
step() {
  say "-- $1"
  shift
  unless "$@" || return 1
  if [ "$dry_run" = no ] && ! holds "$1"; then
    problem "   it was run, but this does not say so: $1"
    return 1
  fi
}

# Is this group meant?
wanted() {
  case " $chosen " in
    *" $1 "*) return 0 ;;
  esac
  return 1
}

# The daemon's unit, and a daemon that was started by hand: it listens at its control socket.
daemon_runs() {
  if [ -d /run/systemd/system ]; then
    case $(systemctl show --property ActiveState --value battito.service 2>/dev/null) in
      active | activating | reloading | deactivating) return 0 ;;
    esac
  fi
  SOCKET=" $socket" awk '
    BEGIN { wanted = ENVIRON["SOCKET"] }
    $4 == "00010000" && substr($0, length($0) - length(wanted) + 1) == wanted { found = 1 }
    END { exit !found }' /proc/net/unix 2>/dev/null
}

# The right host, root, no daemon, and no second run of a runbook at the same time.
begin() {
  [ "$dry_run" = no ] || return 0
  # They ask a daemon, which may hang, and then nobody would get any further.
  if timeout --foreground 5 true 2>/dev/null; then
    virsh() { timeout --foreground -k 5 "$patience" virsh "$@"; }
    logger() { timeout --foreground -k 5 5 logger "$@"; }
  fi
  if [ "$(id -u)" != 0 ]; then
    problem "not allowed: run it as root; --dry-run needs no rights"
    exit 77
  fi
  if ! ip -o address show 2>/dev/null | grep -qF " $own_address/"; then
    stop "this host does not have $own_address, the address of $self" "run it on $self; on $peer it would be the other way round"
  fi
  if daemon_runs; then
    stop "the daemon of Battito runs here, and would work against this script" "$with_daemon"
  fi
  mkdir -p "$run_dir" || stop "$run_dir cannot be made" "make it, as root"
  exec 9>"$run_dir/runbook.lock"
  if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    stop "another runbook runs on this host" "wait for its end"
  fi
}
`;

/** For what is too dangerous for a yes. */
export const typedLibrary = `
# Asks for a word that nobody types by accident. --yes does not answer it.
typed() {
  if [ "$dry_run" = yes ]; then
    say "(asks) $1 (type: $2)"
    return 0
  fi
  printf '%s (type: %s) ' "$1" "$2"
  answer=
  read -r answer || say
  [ "$answer" = "$2" ]
}
`;

/** For what goes on without a guest: one that fails does not keep the others from their turn. */
export const lostLibrary = `
lost=
lose() {
  problem "   $1: the others go on"
  lost="$lost $1"
}
`;

/** For what goes down in its own time. */
export const settleLibrary = `
# settle TITLE LOOK LINE...: tries the lines one after the other until it is so; what fails is followed by the next one.
settle() {
  say "-- $1"
  look=$2
  shift 2
  if holds "$look"; then
    say "   it is so already"
    return 0
  fi
  for line in "$@"; do
    run "$line" || true
    if [ "$dry_run" = no ] && holds "$look"; then return 0; fi
  done
  [ "$dry_run" = no ] || return 0
  tries=0
  until holds "$look"; do
    tries=$((tries + 1))
    [ "$tries" -le 10 ] || return 1
    sleep 1
  done
}

# Without socat nobody can tell QEMU to press the guest's power button.
must_have_socat() {
  if [ "$dry_run" = yes ] || holds "$2" || command -v socat >/dev/null 2>&1; then return 0; fi
  stop "socat is missing, so $1 cannot be told to shut down" "apt-get install socat, or shut $1 down from within (ssh, VNC)"
}
`;

/** For an address that is to come up here. */
export const addressLibrary = `
# must_be_free ADDRESS IS-HERE IS-ELSEWHERE SHOW
must_be_free() {
  if holds "$2"; then return 0; fi
  if can_ask "$3" "another host has $1" && holds "$3"; then
    stop "another host answers for $1" "find it by its MAC address: $4; if it is $peer, cut its power, then run this script again"
  fi
}
`;
