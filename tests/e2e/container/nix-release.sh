#!/bin/bash
# A stand-in for a release of Nix, of Debian's own Nix and in a release's form: store/, .reginfo. It is a real Nix, but an
# older one, and not the one that container/nix.sh names: that one can't be fetched without the internet.
# As root: nix-release.sh DIR   makes DIR/nix.tar.xz
set -eu
dir=$1
root=$dir/nix-root
release=$dir/nix-2.8.0-$(uname -m)-linux
# A store path's hash is 32 of Nix's base-32 digits.
path=$release/store/$(printf '0%.0s' {1..32})-nix-2.8.0
mmdebstrap --quiet --variant=extract --include=nix-bin bookworm "$root"
mkdir -p "$path/bin" "$path/lib" "$path/libexec"
cp "$root/usr/bin/nix" "$path/libexec/nix"
loader=$(find "$root" -name 'ld-linux-*.so.*' -type f | head -n 1)
libraries=$(find "$root" -name '*.so*' -printf '%h\n' | sort -u | tr '\n' ':')
cp "$loader" "$path/lib/ld.so"
"$loader" --library-path "$libraries" --list "$root/usr/bin/nix" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' |
  while read -r library; do cp -L "$library" "$path/lib/"; done
cat >"$path/bin/nix" <<'END_OF_WRAPPER'
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$here/lib/ld.so" --argv0 "$0" --library-path "$here/lib" "$here/libexec/nix" "$@"
END_OF_WRAPPER
chmod 755 "$path/bin/nix"
for name in nix-build nix-channel nix-collect-garbage nix-env nix-hash nix-instantiate nix-shell nix-store; do
  ln -s nix "$path/bin/$name"
done
export NIX_STATE_DIR=$dir/nix-state NIX_STORE_DIR=/nix/store HOME=$dir
# What nix-store --load-db reads: path, hash, size, deriver, number of references.
{
  echo "/nix/store/${path##*/}"
  "$path/bin/nix-hash" --type sha256 "$path"
  "$path/bin/nix-store" --dump "$path" | wc -c
  echo
  echo 0
} >"$release/.reginfo"
tar -C "$dir" -cf - "${release##*/}" | xz -0 -T0 >"$dir/nix.tar.xz"
rm -rf "$root" "$release"
