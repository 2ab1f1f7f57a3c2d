#!/bin/bash
# A world around the wall, in network namespaces of its own; nothing in it can reach a real network.
#
#   host  the router, where a container engine runs: everything else hangs on it
#   lan   10.99.0.2, the owner's LAN, with one address of each kind that must not be reached, IPv6 too
#   meta  169.254.169.254, a cloud's metadata
#   pub   203.0.113.10, the public internet
#   box   172.31.200.2, where an entrypoint runs without an engine
#   peer  198.51.100.3, another container in a network of the box's that no list of private addresses names
#
# Each answers with its name over HTTP (80, 8080), UDP (9999) and ICMP; lan and pub are resolvers as well.
# As root: world.sh up|down PREFIX DIR
set -eu
verb=$1 prefix=$2 dir=$3
here=$(cd "$(dirname "$0")" && pwd)
names="host lan meta pub box peer"
lan_addresses="192.168.7.2 172.20.0.2 100.64.0.2 100.100.100.200 198.18.0.2 192.0.0.10 192.88.99.2 168.63.129.16 240.0.0.2 0.9.9.9"

in_ns() { local name=$1; shift; nsenter --net="/run/netns/$prefix-$name" "$@"; }
ipn() { local name=$1; shift; ip -n "$prefix-$name" "$@"; }

down() {
  for name in $names; do
    # Whatever still runs in there, by pid.
    if [ -e "/run/netns/$prefix-$name" ]; then
      for pid in $(ip netns pids "$prefix-$name"); do kill -KILL "$pid" 2>/dev/null || true; done
      ip netns del "$prefix-$name" || true
    fi
  done
}

link() { # name network(/24) last-byte [device-in-ns]
  local name=$1 net=$2 last=$3 device=${4:-eth0}
  ip link add "to-$name" netns "$prefix-host" type veth peer name "$device" netns "$prefix-$name"
  ipn host addr add "$net.1/24" dev "to-$name"; ipn host link set "to-$name" up
  ipn "$name" addr add "$net.$last/24" dev "$device"; ipn "$name" link set "$device" up
  ipn "$name" route add default via "$net.1"
}

serve() { # name [resolver-address]
  in_ns "$1" python3 "$here/world.py" "$1" "$dir" </dev/null >/dev/null 2>&1 &
  [ -n "${2:-}" ] || return 0
  in_ns "$1" dnsmasq -k -C /dev/null --no-resolv --no-hosts --listen-address="$2" --bind-interfaces --user=root \
    --address=/public.test/203.0.113.10 --address=/lan.test/10.99.0.2 --address=/nest.test/203.0.113.1 --address=/meta.test/169.254.169.254 \
    --pid-file= </dev/null >/dev/null 2>&1 &
}

up() {
  mkdir -p "$dir"
  for name in $names; do
    ip netns add "$prefix-$name"
    # Addresses count at once: the wait for duplicates (RFC 4862) is longer than an attempt may take.
    in_ns "$name" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    ipn "$name" link set lo up
  done
  in_ns host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  link lan 10.99.0 2
  link meta 169.254.169 254
  link pub 203.0.113 10
  link box 172.31.200 2
  for address in $lan_addresses; do
    ipn lan addr add "$address/32" dev eth0
    ipn host route add "$address/32" via 10.99.0.2
  done
  ipn host addr add fd00:99::1/64 dev to-lan nodad; ipn lan addr add fd00:99::2/64 dev eth0 nodad
  ipn lan -6 route add default via fd00:99::1
  ipn host addr add fd00:200::1/64 dev to-box nodad; ipn box addr add fd00:200::2/64 dev eth0 nodad
  ipn box -6 route add default via fd00:200::1
  ip link add eth1 netns "$prefix-box" type veth peer name eth0 netns "$prefix-peer"
  ipn box addr add 198.51.100.2/24 dev eth1; ipn box link set eth1 up
  ipn peer addr add 198.51.100.3/24 dev eth0; ipn peer link set eth0 up
  # As engines set it for their containers.
  in_ns box sysctl -qw net.ipv4.ping_group_range="0 2147483647"
  # What the router can't place goes out to the public side.
  ipn host route add default via 203.0.113.10
  serve lan 10.99.0.2; serve meta; serve pub 203.0.113.10; serve peer; serve host
}

case $verb in
  up) up ;;
  down) down ;;
  *) echo "world.sh up|down PREFIX DIR" >&2; exit 2 ;;
esac
