# Nest in a container: docs/deployment.md tells how it is run and what it promises. compose.yaml runs it as it is meant.
#
# Bases are pinned by release. To pin them by digest as well, or to build on your own: --build-arg BASE_IMAGE=…@sha256:…
ARG BUN_IMAGE=oven/bun:1.4.5-slim
ARG BASE_IMAGE=debian:12.15-slim

FROM ${BUN_IMAGE} AS bun

# What Nest needs at run time, from the lockfile alone, without a script of any package.
FROM ${BASE_IMAGE} AS packages
COPY --from=bun /usr/local/bin/bun /usr/local/bin/bun
WORKDIR /opt/nest
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production --ignore-scripts \
 && chmod -R a+rX,go-w node_modules

FROM ${BASE_IMAGE}
ARG BUILD_TOOLS=false
ARG NEST_UID=1000

# First line: what the entrypoint needs. Second and third: the agent's tools. Setuid and setgid bits go, file
# capabilities too: no-new-privileges makes them worthless, but nothing here wants them either.
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get update \
 && apt-get upgrade -y \
 && apt-get install -y --no-install-recommends \
      iptables tini util-linux xz-utils \
      ca-certificates curl fd-find file git jq less openssh-client patch procps python3 ripgrep unzip zip \
 && if [ "${BUILD_TOOLS}" = true ]; then \
      apt-get install -y --no-install-recommends build-essential pkg-config python3-dev python3-venv; \
    fi \
 && ln -s /usr/bin/fdfind /usr/local/bin/fd \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* /tmp/*

# The agent's user, which is Nest's too. Named volumes take owner and mode from these folders.
RUN groupadd --gid "${NEST_UID}" agent \
 && useradd --uid "${NEST_UID}" --gid agent --no-create-home --home-dir /home/agent --shell /bin/bash agent \
 && install -d -o agent -g agent -m 0700 /home/agent /vault /config/sessions \
 && install -d -o agent -g agent -m 0755 /nix

COPY --from=bun /usr/local/bin/bun /usr/local/bin/bun
COPY --from=packages /opt/nest/node_modules /opt/nest/node_modules
COPY package.json bunfig.toml LICENSE /opt/nest/
COPY src /opt/nest/src
COPY container/entrypoint.sh container/run.sh container/nix.sh /opt/nest/container/
COPY container/nix.conf /etc/nix/nix.conf
COPY container/nest /usr/local/bin/nest

# The mark that makes Nest refuse to run here with privileges (src/cli/privileges.ts). All of it is root's already; that
# nobody else can write it is seen to here, since a clone keeps the modes of its owner's umask.
RUN touch /opt/nest/.container-image \
 && chmod -R a+rX,go-w /opt/nest/src /opt/nest/container /etc/nix \
 && chmod 0644 /opt/nest/package.json /opt/nest/bunfig.toml /opt/nest/LICENSE \
 && chmod 0755 /opt/nest/container/*.sh /usr/local/bin/nest

ARG NEST_VERSION=0.1.0
ARG NEST_REVISION=unknown
LABEL org.opencontainers.image.title="Nest" \
      org.opencontainers.image.description="A self-hosted, hardened gateway for an always-on AI agent" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${NEST_VERSION}" \
      org.opencontainers.image.revision="${NEST_REVISION}"

WORKDIR /
EXPOSE 8484
VOLUME ["/vault", "/config/sessions", "/home/agent", "/nix"]
# Root, for as long as it takes to build the wall; then the agent's user without a capability.
USER root
ENTRYPOINT ["/opt/nest/container/entrypoint.sh"]
CMD ["serve"]
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s --retries=3 \
  CMD ["/opt/nest/container/entrypoint.sh", "health"]
