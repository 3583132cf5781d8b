#!/bin/sh
# The life of the package on this machine, seen from a copy of its root that is thrown away: a view of its own of the
# file systems, with everything that is written in memory. Needs root. Run by package.test.ts, which judges its words.
#   package-life.sh PACKAGE NEWER COMMANDS   COMMANDS run, as files of shell, between installation and upgrade
set -eu
package=$(readlink -f "$1") newer=$(readlink -f "$2") commands=$(readlink -f "$3")
work=$(mktemp -d)
trap 'umount -l "$work/root" "$work" 2>/dev/null; rmdir "$work"' EXIT
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/workdir" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/workdir" "$work/root"
mount -t proc proc "$work/root/proc"
mount --rbind /dev "$work/root/dev"
mkdir "$work/root/battito-packages"
cp "$package" "$work/root/battito-packages/package.deb"
cp "$newer" "$work/root/battito-packages/newer.deb"
cp "$commands" "$work/root/battito-packages/commands"
inside() { chroot "$work/root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
# The dependencies are a test of their own: this machine may have only what the tests need.
dpkg_do() { inside dpkg --force-depends --no-triggers "$@" 2>&1; }

echo '== install'
dpkg_do --install /battito-packages/package.deb
inside /bin/sh -eu /battito-packages/commands
# What an administrator and a daemon leave behind.
mkdir -p "$work/root/var/lib/battito/journal" "$work/root/run/battito/guests" "$work/root/etc/systemd/system/multi-user.target.wants"
touch "$work/root/etc/battito/battito.yaml" "$work/root/etc/battito/key" "$work/root/var/lib/battito/state-a.json"
ln -s /usr/lib/systemd/system/battito.service "$work/root/etc/systemd/system/multi-user.target.wants/battito.service"
echo '== upgrade'
dpkg_do --install /battito-packages/newer.deb
echo '== refuse'
# As with a systemd that is about to start the daemon again. No daemon answers, so nothing can be handed over.
mkdir -p "$work/root/run/systemd/system"
printf '#!/bin/sh\necho activating\n' >"$work/root/usr/local/bin/systemctl"
chmod 755 "$work/root/usr/local/bin/systemctl"
dpkg_do --remove battito && echo 'removed all the same'
inside battito --version
echo '== attention'
# The other node has it, and says that a part needs attention.
printf '#!/bin/sh\nexit 3\n' >"$work/root/usr/local/bin/battito"
chmod 755 "$work/root/usr/local/bin/battito"
inside sh /var/lib/dpkg/info/battito.prerm remove 2>&1 && echo 'prerm: 0'
rm "$work/root/usr/local/bin/battito"
rm -r "$work/root/run/systemd" "$work/root/usr/local/bin/systemctl"
echo '== remove'
mkdir -p "$work/root/etc/drbd.d"
printf 'handlers { fence-peer "/usr/bin/battito drbd fence-peer"; }\n' >"$work/root/etc/drbd.d/lab.res"
dpkg_do --remove battito
ls "$work/root/etc/battito"
echo '== purge'
dpkg_do --purge battito
echo '== left'
# Character devices stand for what was deleted; man keeps the pages that it was asked to show.
cd "$work/upper"
find . -name '*battito*' ! -type c ! -path './battito-packages*' ! -path './var/cache/man/*' ! -path './run/*' -print
cd "$work/root"
for place in etc/battito var/lib/battito run/battito; do
  if [ -e "$place" ]; then echo "$place"; fi
done
