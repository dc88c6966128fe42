# Ara without development tools, without npm, and without the PostgreSQL that `DATABASE_URL=embedded:…` would start.
# An exact version: the newest release of the Node.js 24 LTS line when this was written. To hold the bytes too, append
# the digest that `docker buildx imagetools inspect` tells.
ARG NODE_VERSION=24.22.3

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Nothing that the image keeps has a script to run after its installation, or code for one kind of processor.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim
LABEL org.opencontainers.image.title="Ara" \
      org.opencontainers.image.description="Real-time notifications over WebSocket and SSE" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
# What only builds need, and scanners find holes in.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && ln -s /app/bin/ara.js /usr/local/bin/ara
COPY package.json LICENSE ./
COPY bin bin
COPY deploy/docker/healthcheck.js deploy/docker/healthcheck.js
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# It starts with real secrets or not at all.
ENV NODE_ENV=production RUN_MODE=production
# By number, so that Kubernetes sees that it is not root.
USER 1000:1000
EXPOSE 8081
# Live, not ready: engines that replace what is unhealthy must not do so because a store is away.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["node", "deploy/docker/healthcheck.js", "/health/live"]
# No shell in between: SIGTERM reaches Node.js, which drains and ends with 0.
ENTRYPOINT ["node"]
CMD ["dist/main.js"]
