#!/bin/sh
# Puts Nix into an empty /nix: downloads the release named below, checks it, unpacks it. Runs as the agent's user, behind
# the wall, beside Nest; whatever goes wrong here is told and stops nothing. A /nix that has a Nix is left alone, so an
# image with another version changes nothing.
set -eu
umask 022
PATH=/usr/bin:/bin

# Sums as published in that release's own installer, https://releases.nixos.org/nix/nix-2.35.2/install.
version=2.35.2
case $(uname -m) in
  x86_64) system=x86_64-linux sum=0c3960a9792331a22081c3c7a5d8465db9b17c50b3acdf18587fa4c6f2cb1158 ;;
  aarch64) system=aarch64-linux sum=4d0302a2910f5eec1c33b8deef634f04899a75737e7001ec49908d003ae5efda ;;
  *) system=$(uname -m)-linux sum= ;;
esac
url=${NEST_NIX_URL:-https://releases.nixos.org/nix/nix-$version/nix-$version-$system.tar.xz}
sum=${NEST_NIX_SHA256:-$sum}

say() { printf 'nest: nix: %s\n' "$*" >&2; }
fail() {
  say "$*. Nest runs without Nix; the next start tries again"
  exit 1
}

[ -e /nix/.nest-populated ] && exit 0
[ -n "$sum" ] || fail "no release is known for $system"
[ -w /nix ] || fail "/nix can't be written to"
# What an interrupted start left behind.
rm -rf /nix/.download.*
work=$(mktemp -d /nix/.download.XXXXXX) || fail "/nix can't be written to (full?)"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# -q: no .curlrc of the agent's. The sum is what is trusted, not the way.
curl -q -fsSL --proto '=https,http' --connect-timeout 20 --max-time 1200 -o "$work/nix.tar.xz" "$url" ||
  fail "cannot download $url"
echo "$sum  $work/nix.tar.xz" | sha256sum --check --status || fail "$url is not what was expected: its SHA-256 differs"
mkdir "$work/unpacked"
tar -xJf "$work/nix.tar.xz" --strip-components=1 -C "$work/unpacked" || fail "cannot unpack $url (disk full?)"
nix=$(cd "$work/unpacked/store" && echo *-nix-[0-9]*)
nix=${nix%% *}
[ -x "$work/unpacked/store/$nix/bin/nix-store" ] || fail "$url holds no Nix"
mkdir -p /nix/store /nix/var/nix/profiles
for path in "$work"/unpacked/store/*; do
  target=/nix/store/${path##*/}
  [ -e "$target" ] || mv "$path" "$target" || fail "cannot fill /nix/store (disk full?)"
done
nix=/nix/store/$nix
"$nix/bin/nix-store" --load-db <"$work/unpacked/.reginfo" || fail "cannot make Nix's database"
"$nix/bin/nix-env" --quiet -p /nix/var/nix/profiles/default -i "$nix" || fail "cannot make the first profile"
: >/nix/.nest-populated
say "ready: $("$nix/bin/nix" --version)"
