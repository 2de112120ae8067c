# Camera and server as images. What runs in them is built outside (scripts/build) and copied, so that building an image
# fetches nothing but Debian's packages, and not even those from a base that holds them already:
#
#   scripts/build && docker build --target camera --tag oriel-camera . && docker build --target server --tag oriel-server .
#
# docs/guide/simulation.md says how to run them; compose.yaml does so.

ARG BASE=debian:trixie-slim

# The Node runtime is linked against libatomic1.
FROM ${BASE} AS runtime
RUN ls /usr/lib/*/libatomic.so.1 2>/dev/null || \
  { apt-get update && apt-get install -y --no-install-recommends libatomic1 && rm -rf /var/lib/apt/lists/*; }
# x64 or arm64.
ARG ARCH=x64
COPY node_modules/node-linux-${ARCH}/bin/node /opt/oriel/bin/node
COPY deploy/container/oriel /usr/local/bin/oriel
LABEL org.opencontainers.image.vendor="Oriel" org.opencontainers.image.licenses="Apache-2.0"
ENV HOME=/tmp NODE_OPTIONS=
STOPSIGNAL SIGTERM
USER 61201:61201

FROM runtime AS server
COPY dist /opt/oriel/dist
LABEL org.opencontainers.image.title="Oriel server" \
  org.opencontainers.image.description="Stores what cameras upload, and can open none of it"
EXPOSE 8443
# It takes connections.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8443"]
CMD ["oriel", "server", "run", "/server"]

FROM runtime AS camera
USER 0
RUN command -v ffmpeg || \
  { apt-get update && apt-get install -y --no-install-recommends ffmpeg && rm -rf /var/lib/apt/lists/*; }
USER 61201:61201
ARG ARCH=x64
COPY dist /opt/oriel/dist
# sharp's native half, for snapshots.
COPY node_modules/@img/sharp-linux-${ARCH} /opt/oriel/node_modules/@img/sharp-linux-${ARCH}
COPY node_modules/@img/sharp-libvips-linux-${ARCH} /opt/oriel/node_modules/@img/sharp-libvips-linux-${ARCH}
LABEL org.opencontainers.image.title="Oriel camera" \
  org.opencontainers.image.description="Captures, seals and uploads to the one server it is pinned to; lets nothing in"
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["oriel", "camera", "status", "/camera"]
CMD ["oriel", "camera", "run", "/camera"]
