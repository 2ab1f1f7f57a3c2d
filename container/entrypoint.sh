#!/bin/sh
# What runs first in the container, as root with four capabilities: builds the wall around the agent, gives up every
# privilege for good, and becomes Nest. Each step is looked at; whatever did not take is named, and nothing is started.
#
#   entrypoint.sh serve [OPTIONS]    the wall, then Nest (OPTIONS are those of `nest serve`)
#   entrypoint.sh new-token          a new owner token: prints it, keeps its hash; `docker compose restart nest` takes it
#   entrypoint.sh health             asks Nest whether it is well, without privileges
#   entrypoint.sh command …          any command of Nest's, without privileges
#
# Nothing that the agent can write is ever read or run here as root, except that whether folders can be written is
# tried as the agent's user. Settings come from the container's environment; see docs/deployment.md.
set -eu
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset ENV CDPATH LD_PRELOAD LD_LIBRARY_PATH BUN_OPTIONS BUN_INSPECT BUN_CONFIG NODE_OPTIONS NODE_PATH

CHAIN=NEST-EGRESS
CONFIG=/config/config.yaml
SECRETS=/config/secrets
USER_NAME=agent
USER_HOME=/home/agent

die() {
  printf 'nest: %s\n' "$*" >&2
  exit 2
}

# --- privileges -------------------------------------------------------------------------------------------------------

# Without all of these setpriv drops less than it says (setpriv(1)); what runs then checks its own sets once more.
DROP="--reuid=$USER_NAME --regid=$USER_NAME --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs"

drop() {
  if [ "$(id -u)" -eq 0 ]; then
    # shellcheck disable=SC2086
    setpriv $DROP -- "$@"
  else
    "$@"
  fi
}

# bit name: is the capability among the effective ones?
require_capability() {
  set -- "$1" "$2" "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
  [ $((0x$3 >> $1 & 1)) -eq 1 ] ||
    die "the capability $2 is missing. compose.yaml names those that are needed to build the wall and to give them up: cap_add: [NET_ADMIN, SETPCAP, SETUID, SETGID]"
}

require_privileges() {
  [ "$(id -u)" -eq 0 ] || die "started as user $(id -u). Start it as root: it builds the wall and then gives root up"
  # include/uapi/linux/capability.h
  require_capability 6 SETGID
  require_capability 7 SETUID
  require_capability 8 SETPCAP
  require_capability 12 NET_ADMIN
}

# --- addresses --------------------------------------------------------------------------------------------------------

# A whole number without leading zeros (0177 is octal to some), at most $2.
is_number() {
  case $1 in '' | *[!0-9]* | 0?* | ??????*) return 1 ;; esac
  [ "$1" -le "$2" ]
}

# An IPv4 address or CIDR block: sets number and bits. What has bits set behind its prefix is refused, not repaired.
parse_block() {
  case $1 in '' | *[!0-9./]* | */*/* | *.) return 1 ;; esac
  bits=32
  case $1 in */*) bits=${1#*/} ;; esac
  is_number "$bits" 32 || return 1
  rest=${1%%/*}.
  number=0
  count=0
  while [ -n "$rest" ]; do
    is_number "${rest%%.*}" 255 || return 1
    number=$((number * 256 + ${rest%%.*}))
    count=$((count + 1))
    rest=${rest#*.}
  done
  [ "$count" -eq 4 ] && [ $((number & ((1 << (32 - bits)) - 1))) -eq 0 ]
}

# Never allowed, whatever the owner lists: this host, loopback, link-local with most clouds' metadata, two clouds'
# metadata elsewhere, protocol assignments with another's, multicast, reserved and broadcast.
# RFC 6890, RFC 3927, RFC 5771, RFC 1112.
NEVER="0.0.0.0/8 127.0.0.0/8 100.100.100.200 168.63.129.16 169.254.0.0/16 192.0.0.0/24 224.0.0.0/4 240.0.0.0/4"
# Refused unless listed: private (RFC 1918), shared by carriers (RFC 6598), benchmarking (RFC 2544), 6to4 (RFC 7526).
# The three networks for documentation (RFC 5737) lead nowhere and are not listed.
PRIVATE="10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15"

# Dies if the block of $2 (named so: $1) lies in, or holds, what is never allowed.
refuse_never() {
  parse_block "$2" || die "$1: expected an IPv4 address or CIDR block, found \"$2\""
  given_number=$number given_bits=$bits
  for never in $NEVER; do
    parse_block "$never"
    [ "$given_bits" -lt "$bits" ] && bits=$given_bits
    [ $((given_number >> (32 - bits))) -ne $((number >> (32 - bits))) ] ||
      die "$1: \"$2\" overlaps $never, which is never allowed"
  done
}

# Splits an entry CIDR[:PORT] of the list named $1: sets block and port.
parse_entry() {
  block=${2%%:*}
  port=
  case $2 in *:*)
    port=${2#*:}
    is_number "${port#0}" 65535 || die "$1: expected a port from 1 to 65535 behind the colon, found \"$2\""
    ;;
  esac
  parse_block "$block" ||
    die "$1: expected IPv4 CIDR[:PORT], like 192.168.1.10/32:11434, with no bits set behind the prefix; found \"$2\""
}

# Lists are separated by commas or spaces. Nothing in them may be a pattern to the shell.
split_list() {
  case $2 in *[!0-9./:,\ ]*) die "$1: expected IPv4 CIDR[:PORT] entries, found \"$2\"" ;; esac
  printf '%s\n' "$2" | tr ',' ' '
}

# --- the wall ---------------------------------------------------------------------------------------------------------

# iptables or ip6tables with what follows; whatever fails ends the start.
ask() {
  tool=$1
  shift
  "$tool" -w 5 "$@" || die "$tool $*: failed; the wall is not complete"
}

# Appends to our chain and asks the kernel whether it is there.
rule() {
  ask iptables -A "$CHAIN" "$@"
  ask iptables -C "$CHAIN" "$@"
}

refuse() {
  rule "$@" -j REJECT --reject-with icmp-admin-prohibited
}

drop_by_default() {
  ask "$1" -P "$2" DROP
  [ "$(ask "$1" -S "$2" | head -n 1)" = "-P $2 DROP" ] ||
    die "$1: the policy of $2 is not DROP; the wall is not complete"
}

# An empty chain of our own. Only ours is ever flushed: Docker keeps rules of its own beside it.
own_chain() {
  "$1" -w 5 -N "$CHAIN" 2>/dev/null || true
  ask "$1" -F "$CHAIN"
}

ask_first() {
  while "$1" -w 5 -D OUTPUT -j "$CHAIN" 2>/dev/null; do :; done
  ask "$1" -I OUTPUT 1 -j "$CHAIN"
  [ "$(ask "$1" -S OUTPUT 1)" = "-A OUTPUT -j $CHAIN" ] ||
    die "$1: the chain $CHAIN is not asked first; the wall is not complete"
}

# The one resolver that may be asked: NEST_DNS, or the only nameserver of resolv.conf.
find_resolver() {
  resolver=${NEST_DNS:-}
  if [ -z "$resolver" ]; then
    resolver=$(sed -n 's/^[[:space:]]*nameserver[[:space:]]\{1,\}\([^[:space:]]*\).*$/\1/p' /etc/resolv.conf)
    case $resolver in
      127.*) die "NEST_DNS is not set, and /etc/resolv.conf names Docker's own resolver ($resolver). Set NEST_DNS to the one behind it (compose.yaml: dns)" ;;
      *[!0-9.]* | '') die "NEST_DNS is not set, and /etc/resolv.conf names not exactly one IPv4 nameserver. Set NEST_DNS to the resolver that may be asked" ;;
    esac
  fi
  case $resolver in */*) die "NEST_DNS: expected one IPv4 address, found \"$resolver\"" ;; esac
  parse_block "$resolver" || die "NEST_DNS: expected one IPv4 address, found \"$resolver\""
  case $resolver in 0.* | 127.* | 22[4-9].* | 2[34]?.* | 25?.*) die "NEST_DNS: \"$resolver\" is no address of a resolver" ;; esac
}

# The networks that this container is part of, from the kernel's table of routes: lines of destination/mask, hexadecimal,
# lowest byte first (proc(5)).
own_networks() {
  while read -r _ destination _ _ _ _ _ mask _; do
    case $destination$mask in *[!0-9A-F]* | 00000000*) continue ;; esac
    address=$(dotted "$destination") || return 1
    printf '%s/%s\n' "$address" "$(dotted "$mask")"
  done </proc/net/route
}

# This server's own public addresses: what its name says. By them the agent would reach what listens on the host, or what
# a router at home sends back inside. Asked as the agent's user; a name that says nothing is told and stops nothing.
server_addresses() {
  [ -n "${NEST_DOMAIN:-}" ] || return 0
  addresses=$(drop timeout 5 getent ahostsv4 "$NEST_DOMAIN" | sed -n 's/^\([0-9.]*\) .*$/\1/p' | sort -u)
  for address in $addresses; do
    # Not those of a test on one machine.
    case $address in 127.*) continue ;; esac
    ! parse_block "$address" || printf '%s\n' "$address"
  done
  [ -n "$addresses" ] ||
    echo "nest: warning: $NEST_DOMAIN has no IPv4 address yet, so this server's own is not refused to the agent. Name it in NEST_EGRESS_DENY, or start again when DNS knows it" >&2
}

dotted() {
  printf '%d.%d.%d.%d' "0x$(echo "$1" | cut -c7-8)" "0x$(echo "$1" | cut -c5-6)" "0x$(echo "$1" | cut -c3-4)" "0x$(echo "$1" | cut -c1-2)"
}

wall_v4() {
  find_resolver
  case ${NEST_DOMAIN:-localhost} in *[!A-Za-z0-9.-]* | -*) die "NEST_DOMAIN: expected a host name, found \"$NEST_DOMAIN\"" ;; esac
  allow=$(split_list NEST_EGRESS_ALLOW "${NEST_EGRESS_ALLOW:-}")
  deny=$(split_list NEST_EGRESS_DENY "${NEST_EGRESS_DENY:-}")
  # All of what the owner wrote is read before anything is changed.
  for entry in $allow; do
    parse_entry NEST_EGRESS_ALLOW "$entry"
    [ "$bits" -ge 8 ] || die "NEST_EGRESS_ALLOW: \"$entry\" is too wide, expected a prefix of at least 8 bits"
    refuse_never NEST_EGRESS_ALLOW "$block"
  done
  for entry in $deny; do parse_entry NEST_EGRESS_DENY "$entry"; done
  networks=$(own_networks) || die "cannot read the container's own networks from /proc/net/route"

  servers=$(server_addresses)

  # Nothing goes out until the last rule is in place.
  drop_by_default iptables OUTPUT
  drop_by_default iptables FORWARD
  own_chain iptables
  rule -o lo -j ACCEPT
  # Answers to who may ask us, which is Caddy; they would be refused below, for it sits in a private network.
  rule -m conntrack --ctstate ESTABLISHED --ctdir REPLY -j ACCEPT
  # The resolver stands before what is never allowed: two clouds keep theirs beside their metadata, on another port.
  for protocol in udp tcp; do rule -d "$resolver/32" -p "$protocol" --dport 53 -j ACCEPT; done
  for never in $NEVER; do refuse -d "$never"; done
  # DNS, and DNS over TLS and QUIC.
  for protocol in udp tcp; do refuse -p "$protocol" -m multiport --dports 53,853; done
  for entry in $deny; do
    parse_entry NEST_EGRESS_DENY "$entry"
    if [ -z "$port" ]; then
      refuse -d "$block"
    else
      for protocol in udp tcp; do refuse -d "$block" -p "$protocol" --dport "$port"; done
    fi
  done
  for entry in $allow; do
    parse_entry NEST_EGRESS_ALLOW "$entry"
    for protocol in udp tcp; do
      if [ -z "$port" ]; then
        rule -d "$block" -p "$protocol" -j ACCEPT
      else
        rule -d "$block" -p "$protocol" --dport "$port" -j ACCEPT
      fi
    done
  done
  for network in $networks $servers; do refuse -d "$network"; done
  for private in $PRIVATE; do refuse -d "$private"; done
  for protocol in tcp udp; do rule -p "$protocol" -j ACCEPT; done
  refuse
  ask_first iptables
}

# IPv6 is off twice, because whoever is root in a container may be able to switch a sysctl back on.
wall_v6() {
  # A kernel without IPv6 has nothing to be switched off.
  [ -e /proc/net/if_inet6 ] || return 0
  for path in /proc/sys/net/ipv6/conf/*/disable_ipv6; do
    [ "$(cat "$path")" = 1 ] || echo 1 2>/dev/null >"$path" || true
    [ "$(cat "$path")" = 1 ] ||
      die "IPv6 is on ($path is not 1) and can't be switched off from inside. compose.yaml does it with sysctls: net.ipv6.conf.all.disable_ipv6=1 and net.ipv6.conf.default.disable_ipv6=1"
  done
  for chain in OUTPUT FORWARD INPUT; do drop_by_default ip6tables "$chain"; done
  own_chain ip6tables
  for verb in -A -C; do
    ask ip6tables "$verb" "$CHAIN" -o lo -j ACCEPT
    ask ip6tables "$verb" "$CHAIN" -j REJECT
  done
  ask_first ip6tables
}

# --- files ------------------------------------------------------------------------------------------------------------

# yes or no; nothing if it can't even be asked.
agent_can() {
  # shellcheck disable=SC2016
  drop sh -c 'if test "$1" "$2"; then echo yes; else echo no; fi' sh "$@"
}

# Folders that Nest writes to, tried as its user.
require_folders() {
  for folder in /vault /config/sessions "$USER_HOME" /tmp; do
    # shellcheck disable=SC2016
    reason=$(drop sh -c 'file=$(mktemp "$1/.nest-write-test-XXXXXX") && echo x >"$file"; status=$?; rm -f "$file"; exit $status' sh "$folder" 2>&1) ||
      die "$folder can't be written to by the agent's user, $(id -u "$USER_NAME"): ${reason##*: }. Mount a volume there that is this user's and not full (/tmp: a tmpfs)"
  done
  [ "$(agent_can -w /config)" = no ] ||
    die "/config can be written to by the agent's user, $(id -u "$USER_NAME"): it could change Nest's config. Make the folder root's (chown root, chmod 755)"
  [ ! -e "$CONFIG" ] || [ "$(agent_can -w "$CONFIG")" = no ] ||
    die "$CONFIG can be written to by the agent's user. Make it root's (chown root, chmod 644)"
}

# Sets token and hash. Neither is ever an argument, and no agent runs yet.
new_hash() {
  token=$(drop /opt/nest/container/entrypoint.sh command token) || die "cannot make a token"
  hash=$(printf '%s\n' "$token" | drop /opt/nest/container/entrypoint.sh command token --hash) || die "cannot hash a token"
  case $token:$hash in nest_*:sha256:*) ;; *) die "cannot make a token" ;; esac
}

show_token() {
  printf '\n  token      %s\n\nShown this once; %s\n\n' "$token" "$1"
}

# Writes a config for what compose.yaml sets up. Root's, and readable for all: it holds no secret but the token's hash.
first_config() {
  [ ! -e "$CONFIG" ] || return 0
  proxies=
  if [ -n "${NEST_PROXY:-}" ]; then
    parse_block "$NEST_PROXY" || die "NEST_PROXY: expected the proxy's IPv4 address, found \"$NEST_PROXY\""
    [ "$bits" -eq 32 ] || die "NEST_PROXY: expected one address: the agent shares the proxy's network and must not pass for it"
    proxies=$NEST_PROXY
  fi
  new_hash
  cat 2>/dev/null >"$CONFIG.new" <<EOF || die "cannot write $CONFIG. Make /config root's and writable for it (chown root, chmod 755), on a disk that is not full"
# Nest's configuration. config.example.yaml shows every key with its default; docs/configuration.md explains them.
# The agent can read this file: a secret belongs into the folder secrets/, as a file NAME, and here as env:NAME.
# After a change: docker compose restart nest

server:
  # Behind a proxy, in a network of their own.
  host: 0.0.0.0
  port: 8484
  # Only the SHA-256 of the token. A new one: docker compose run --rm nest new-token
  token: $hash
  # The proxy's address alone. The agent shares its network: a whole network here would let it invent addresses.
  trustedProxies: [$proxies]
  hosts: [${NEST_DOMAIN:-}]

vault:
  path: /vault

sessions:
  default:
    cwd: /vault
EOF
  mv "$CONFIG.new" "$CONFIG" || die "cannot write $CONFIG"
  show_token "the config keeps only its hash. Whoever has it runs commands in this container."
}

# One file a secret, NAME its name, one line its content: sets secrets to NAME=value lines.
read_secrets() {
  secrets=
  [ -d "$SECRETS" ] || return 0
  for path in "$SECRETS"/*; do
    [ -f "$path" ] || continue
    name=${path##*/}
    case $name in
      [!A-Z]* | *[!A-Z0-9_]*) die "$path: expected a file named like a variable, such as ANTHROPIC_API_KEY" ;;
      PATH | HOME | IFS | ENV | TMPDIR | USER | SHELL | LD_* | BUN_* | NODE_* | NEST_*) die "$path: this name can't be a secret's" ;;
    esac
    [ "$(agent_can -r "$path")" = no ] || die "$path can be read by the agent's user. Make it root's alone (chown root, chmod 600)"
    value=$(cat "$path" 2>/dev/null) || die "$path can't be read. Make it root's (chown root, chmod 600)"
    case $value in
      '') die "$path is empty, expected one line" ;;
      *"
"*) die "$path has more than one line" ;;
    esac
    secrets="$secrets$name=$value
"
  done
}

# --- commands ---------------------------------------------------------------------------------------------------------

serve() {
  require_privileges
  wall_v4
  wall_v6
  require_folders
  first_config
  read_secrets

  HOME=$USER_HOME USER=$USER_NAME LOGNAME=$USER_NAME SHELL=/bin/bash
  # For the agent. Root's PATH above holds nothing that the agent can write, and Nest calls programs by full name.
  PATH=/usr/local/bin:/usr/bin:/bin:$USER_HOME/.local/bin:$USER_HOME/.nix-profile/bin:$USER_HOME/.local/state/nix/profile/bin:/nix/var/nix/profiles/default/bin
  # Bun would keep compiled code in the home, where the agent could change it.
  BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
  export HOME USER LOGNAME SHELL PATH BUN_RUNTIME_TRANSPILER_CACHE_PATH
  cd /

  if [ "${NEST_NIX:-on}" != off ]; then
    # Without the environment, and gone from this shell's hands: tini takes over what is left when it ends.
    drop /usr/bin/env -i HOME="$HOME" USER="$USER" NEST_NIX_URL="${NEST_NIX_URL:-}" NEST_NIX_SHA256="${NEST_NIX_SHA256:-}" \
      /opt/nest/container/nix.sh </dev/null &
  fi

  exec 3<<EOF
$secrets
EOF
  secrets='' hash='' token=''
  # shellcheck disable=SC2086
  exec /usr/bin/setpriv $DROP -- /usr/bin/tini -- /opt/nest/container/run.sh "$@"
}

new_token() {
  [ "$(id -u)" -eq 0 ] || die "started as user $(id -u). Run it as root: the config is root's"
  [ -f "$CONFIG" ] || die "there is no $CONFIG yet; the first start makes one, with a token"
  [ "$(grep -c '^  token: sha256:[0-9a-f]*$' "$CONFIG")" -eq 1 ] ||
    die "$CONFIG has not exactly one line \"  token: sha256:…\". Put the hash of \`nest token\` there yourself"
  new_hash
  { sed "s/^  token: sha256:[0-9a-f]*\$/  token: $hash/" "$CONFIG" >"$CONFIG.new" && mv "$CONFIG.new" "$CONFIG"; } 2>/dev/null ||
    die "cannot write $CONFIG"
  show_token "docker compose restart nest makes it the valid one."
}

# Becomes a command of Nest's, without privileges and without anything that the agent wrote.
run_command() {
  cd /
  HOME=/nonexistent BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
  export HOME BUN_RUNTIME_TRANSPILER_CACHE_PATH
  set -- /usr/local/bin/bun --no-env-file --config=/dev/null --no-install /opt/nest/src/main.ts "$@"
  # shellcheck disable=SC2086
  if [ "$(id -u)" -eq 0 ]; then exec setpriv $DROP -- "$@"; else exec "$@"; fi
}

verb=${1:-serve}
[ $# -eq 0 ] || shift
case $verb in
  serve) serve "$@" ;;
  new-token) new_token ;;
  health) run_command health http://127.0.0.1:8484 ;;
  command) run_command "$@" ;;
  *) die "no command \"$verb\", expected serve, new-token, health or command" ;;
esac
