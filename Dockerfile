# Flumen as a container image.
#
#   docker build -t flumen .
#   docker run -e FLUME_CONF_FILE=/conf/netcat-logger.properties -e FLUME_AGENT_NAME=a1 -v "$PWD/conf:/conf:ro" flumen
#
# The variables are explained in packaging/docker/entrypoint.sh. Note that the examples listen on localhost,
# which is the container's own: bind 0.0.0.0 and publish the port to reach a source from outside.

FROM rust:1.95-slim-bookworm AS build
# Use the compiler of the image; rust-toolchain.toml would fetch formatter and linter too.
ENV RUSTUP_TOOLCHAIN=$RUST_VERSION
WORKDIR /src
COPY . .
# The allocator and zstd are compiled from C.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package flumen \
    && install -D target/release/flumen /out/flumen

FROM debian:bookworm-slim
# bash runs the entrypoint and `exec` sources with a shell; tzdata gives the zones of timestamps.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bash tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/flumen --create-home flumen
COPY --from=build /out/flumen /usr/local/bin/flumen
# One binary under two names: scripts that call flume-ng keep working.
RUN ln -s flumen /usr/local/bin/flume-ng
COPY packaging/docker/entrypoint.sh /usr/local/bin/entrypoint.sh
COPY conf /usr/share/flumen/conf
USER flumen
WORKDIR /var/lib/flumen
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
STOPSIGNAL SIGTERM
