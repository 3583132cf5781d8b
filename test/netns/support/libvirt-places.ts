// What a libvirtd of a test's own needs: the beginning of a shell script that hides the host's libvirt from it, and the
// configuration of its QEMU.

/** As root, without the parts that need an init system, a security module or cgroups. */
export const qemuConf = `security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
remember_owner = 0
`;

/** Run in a mount namespace of its own, with the directory of `qemu.conf` as $1. */
export const ownPlaces = `set -e
mount -t tmpfs none /run
for place in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mkdir -p "$place" && mount -t tmpfs none "$place"
done
cp "$1/qemu.conf" /etc/libvirt/qemu.conf
# Debian's libvirtd wants these by name, whatever its configuration says; libvirt-daemon-system would make them.
for file in passwd group; do
  grep -q '^libvirt-qemu:' "/etc/$file" && continue
  cp "/etc/$file" "$1/$file"
  mount --bind "$1/$file" "/etc/$file"
done
grep -q '^libvirt-qemu:' /etc/group || echo 'libvirt-qemu:x:64055:' >>/etc/group
grep -q '^libvirt-qemu:' /etc/passwd || echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
`;
