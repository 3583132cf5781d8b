// The shell functions for DRBD, 8.4 and 9: promote with a dead peer, demote, and wait for a copy.
// `drbdadm` shows "Secondary/Unknown" for a role in 8.4 and only "Secondary" in 9; one line a volume, or a connection.
// Sources: drbdadm(8), drbd_nl.c drbd_set_role() and conn_try_outdate_peer(): with `fencing dont-care` nobody is asked.

const looks = String.raw`
is_primary() { drbdadm role "$1" 2>/dev/null | grep -q '^Primary'; }

# What its disks are, each state once.
disk_of() { drbdadm dstate "$1" 2>/dev/null | sed 's,/.*,,' | sort -u | tr '\n' ' '; }

# Anything that DRBD does with a peer that it hears. 8.4 says Unconfigured where it has neither a disk nor a network.
is_connected() {
  drbdadm cstate "$1" 2>/dev/null | grep -Evq '^(Unconfigured|StandAlone|Disconnecting|Unconnected|Timeout|BrokenPipe|NetworkFailure|ProtocolError|TearDown|WFConnection|Connecting|WFReportParams)$'
}

# Loads the module and brings the resource up, where that was not done, or not to its end.
bring_up() {
  unless '[ -e /proc/drbd ]' 'modprobe drbd' || stop "the kernel module of DRBD is not there" "modprobe drbd"
  unless "drbdadm role $1 | grep -qv '^Unconfigured'" "drbdadm up $1" || stop "$1 does not come up" "drbdadm up $1; see: dmesg | tail"
}
`;

export const promoteLibrary = `${looks}${`
# DRBD may hold on to a session for some seconds after its peer has died.
must_be_lost() {
  if [ "$dry_run" = yes ]; then
    say "? drbdadm cstate $1"
    return 0
  fi
  waited=0
  while is_connected "$1"; do
    if [ "$waited" = 0 ]; then say "   DRBD still has a connection to $peer for $1; waiting up to 30 s"; fi
    if [ "$waited" -ge 30 ]; then
      stop "DRBD is connected to $peer for $1: $peer lives" "hand over in order: battito handover on $peer; or cut its power, and run this script again"
    fi
    sleep 1
    waited=$((waited + 1))
  done
}

# promote RESOURCE: without force first. What is refused is explained, and asked for.
promote() {
  say "-- DRBD resource $1: primary here"
  bring_up "$1"
  if [ "$dry_run" = no ] && is_primary "$1"; then
    say "   it is so already"
    return 0
  fi
  if [ "$from_standby" = no ]; then
    # A session that is half open would be waited for.
    run "drbdadm disconnect $1" || true
  fi
  promoted=no
  if run "drbdadm primary $1"; then promoted=yes; fi
  if [ "$dry_run" = yes ]; then
    say "   only where that is refused, after a question: drbdadm disk-options --fencing=dont-care $1 (DRBD 9: net-options), and once more"
    say "   only where the copy here is not the newest, after a typed word: drbdadm primary --force $1"
  fi
  if [ "$promoted" = no ]; then promote_without_peer "$1"; fi
  if [ "$promoted" = no ]; then promote_by_force "$1"; fi
  # It looks for its peer again, however that ended: the peer is to be resynced when it returns.
  if [ "$from_standby" = no ]; then run "drbdadm connect $1" || true; fi
  if [ "$promoted" = no ]; then
    stop "$1 is not primary here; DRBD's own words are above" "drbdadm status $1; dmesg | tail"
  fi
}

# With fencing DRBD asks its fence-peer handler whether the peer is off, and that asks the daemon, which does not run.
promote_without_peer() {
  [ "$from_standby" = no ] || return 0
  drbdsetup show "$1" 2>/dev/null | grep -q 'fencing[[:space:]]*resource' || return 0
  say "   DRBD does not let $1 be used before its fence-peer handler has said that $peer is off. The handler asks the"
  say "   daemon of Battito, which does not run. You have said that $peer is off."
  if ! agreed "   Let DRBD go on without asking, until drbdadm adjust $1 puts that back?"; then return 0; fi
  case $(head -n 1 /proc/drbd 2>/dev/null) in
    'version: 8'*) section='disk-options' ;;
    *) section='net-options' ;;
  esac
  if run "drbdadm $section --fencing=dont-care $1" && run "drbdadm primary $1"; then promoted=yes; fi
}

# --force makes an old or half copy the true one. There is no way back from it.
promote_by_force() {
  disk=$(disk_of "$1")
  case " $disk" in
    *' Diskless '* | *' Failed '* | *' Attaching '* | *' Negotiating '* | *' DUnknown '*) return 0 ;;
    *' Inconsistent '*)
      say "   The copy of $1 here is only half of one: it was being copied from $peer. By --force it would be used as it is,"
      say "   with old and new blocks side by side: expect the file systems on it to be broken. It is right only where the"
      say "   disk of $peer is lost for good, and there is no backup."
      ;;
    *' Outdated '* | *' Consistent '*)
      say "   The copy of $1 here may not be the newest: $peer wrote to its own after this one had lost it. By --force this"
      say "   old copy becomes the true one: all that $peer has written since is LOST, for good, when they meet again."
      say "   If the disk of $peer is sound, rather put it back to work, there or in this host."
      ;;
    *) return 0 ;;
  esac
  if typed "   Use the copy of $1 here all the same?" "force $1"; then
    if run "drbdadm primary --force $1"; then promoted=yes; fi
  fi
}
`}`;

export const demoteLibrary = `
is_primary() { drbdadm role "$1" 2>/dev/null | grep -q '^Primary'; }

# demote RESOURCE: what holds it open, such as udev or a guest on its way out, has ten seconds to let go.
demote() {
  say "-- DRBD resource $1: secondary"
  if [ "$dry_run" = no ] && ! is_primary "$1"; then
    say "   it is so already"
    return 0
  fi
  tries=0
  until run "drbdadm secondary $1"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 10 ]; then
      stop "$1 is held open" "drbdsetup status $1 --verbose; fuser -v /dev/drbd/by-res/$1/*; close what holds it"
    fi
    sleep 1
  done
}
`;

export const resyncLibrary = `${looks}${String.raw`
is_standalone() { drbdadm cstate "$1" 2>/dev/null | grep -q '^StandAlone$'; }

is_mirrored() { is_connected "$1" && ! drbdadm dstate "$1" 2>/dev/null | grep -qvx 'UpToDate/UpToDate'; }

has_no_disk() { drbdadm dstate "$1" 2>/dev/null | grep -Eq '(^|/)(Diskless|Failed)(/|$)'; }

# In percent; empty where DRBD does not say.
progress_of() {
  drbdadm status "$1" 2>/dev/null | sed -n 's/.* done:\([0-9.]*\).*/\1/p' | head -n 1
}

# remirror RESOURCE: connected, resynced, and with the options of its files again.
remirror() {
  say "-- DRBD resource $1: a mirror again"
  bring_up "$1"
  if [ "$dry_run" = yes ] || is_standalone "$1"; then run "drbdadm connect $1" || true; fi
  if [ "$dry_run" = no ]; then
    waited=0
    until is_connected "$1"; do
      if [ "$waited" -ge 10 ] && is_standalone "$1"; then parted "$1"; fi
      if [ "$waited" -ge 60 ]; then
        stop "$1 finds no connection to $peer" "on $peer: drbdadm up $1; between the hosts: is its network up, and its port open?"
      fi
      sleep 1
      waited=$((waited + 1))
    done
    shown=none
    unheard=0
    bare=0
    until is_mirrored "$1"; do
      if is_standalone "$1"; then parted "$1"; fi
      if is_connected "$1"; then unheard=0; else unheard=$((unheard + 1)); fi
      if has_no_disk "$1"; then bare=$((bare + 1)); else bare=0; fi
      if [ "$unheard" -ge 60 ]; then
        stop "$1 has lost its connection to $peer" "see whether $peer is up, and the network between the hosts; then run this script again"
      fi
      if [ "$bare" -ge 30 ]; then
        stop "$1 has no disk on one of the hosts, so nothing is copied (here/$peer: $(drbdadm dstate "$1" 2>/dev/null | tr '\n' ' '))" "on that host: mend the disk under it, then drbdadm attach $1 (of a new disk drbdadm create-md $1 before); then run this script again"
      fi
      percent=$(progress_of "$1")
      if [ "$percent" != "$shown" ]; then
        say "   $1: $(drbdadm dstate "$1" 2>/dev/null | tr '\n' ' ')\${percent:+$percent%}"
        shown=$percent
      fi
      sleep 1
    done
    say "   both copies are UpToDate"
  fi
  # Also what takeover may have set aside: that DRBD asks before it goes on without its peer.
  run "drbdadm adjust $1" || stop "the options of $1 could not be set as in its files" "drbdadm adjust $1"
}

# Both hosts have written by themselves. Whose changes go is for a person to say.
parted() {
  problem "The two copies of $1 have parted (split brain): each host has written without the other."
  problem "Decide whose changes are thrown away. With the daemons: battito drbd resolve $1. By hand, if those of $peer go:"
  problem "  on $peer:  drbdadm disconnect $1; drbdadm secondary $1; drbdadm connect --discard-my-data $1"
  problem "  here:  drbdadm connect $1"
  stop "$1 stands alone" "resolve it, then run this script again"
}
`.replaceAll('\\${', '${')}`;
