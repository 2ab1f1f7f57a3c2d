#!/bin/bash
# Something like the image without an engine: this machine's own files below an overlay, with Nest where the Dockerfile
# puts it. Mount and process namespaces are the caller's (unshare). As root:
#   cell.sh DIR REPOSITORY BUN CAPABILITIES(+a,+b) COMMAND…
# CELL_BEFORE: shell code that runs last, in "$root"'s parent, to break something on purpose.
set -eu
dir=$1 repository=$2 bun=$3 capabilities=$4
shift 4
root=$dir/root
mkdir -p "$dir/layers" "$root"
ip link set lo up
mount -t tmpfs tmpfs "$dir/layers"
mkdir "$dir/layers/upper" "$dir/layers/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/layers/upper,workdir=$dir/layers/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/opt"
mount -t tmpfs -o mode=755 tmpfs "$root/usr/local/bin"
mkdir -p "$root/opt/nest/container" "$root/opt/nest/src" "$root/opt/nest/node_modules" "$root/config" "$root/vault" \
  "$root/home/agent" "$root/nix" "$root/etc/nix"
mount --bind "$repository/src" "$root/opt/nest/src"
mount --bind "$repository/node_modules" "$root/opt/nest/node_modules"
cp "$repository"/container/*.sh "$root/opt/nest/container/"
cp "$repository/package.json" "$repository/bunfig.toml" "$root/opt/nest/"
cp "$repository/container/nest" "$root/usr/local/bin/nest"
cp "$repository/container/nix.conf" "$root/etc/nix/nix.conf"
touch "$root/usr/local/bin/bun" && mount --bind "$bun" "$root/usr/local/bin/bun"
touch "$root/opt/nest/.container-image"
chmod -R go-w "$root/opt/nest/container" && chmod 755 "$root/opt/nest/container"/*.sh "$root/usr/local/bin/nest"
sed -i '/^agent:/d; /:1000:/d' "$root/etc/passwd" "$root/etc/group"
echo "agent:x:1000:1000::/home/agent:/bin/bash" >>"$root/etc/passwd"
echo "agent:x:1000:" >>"$root/etc/group"
echo "nameserver 203.0.113.10" >"$dir/resolv.conf"
rm -f "$root/etc/resolv.conf" && cp "$dir/resolv.conf" "$root/etc/resolv.conf"
# Kept between cells of one folder, as volumes are.
mkdir -p "$dir/config" "$dir/vault" "$dir/home" "$dir/sessions" "$dir/nix"
chown 1000:1000 "$dir/vault" "$dir/home" "$dir/sessions" "$dir/nix"
mount --bind "$dir/config" "$root/config"
mkdir -p "$root/config/sessions"
mount --bind "$dir/sessions" "$root/config/sessions"
mount --bind "$dir/vault" "$root/vault"
mount --bind "$dir/home" "$root/home/agent"
mount --bind "$dir/nix" "$root/nix"
eval "${CELL_BEFORE:-}"
mount -o remount,ro "$root"
exec chroot "$root" /usr/bin/setpriv --inh-caps=-all --ambient-caps=-all --bounding-set="-all$capabilities" "$@"
