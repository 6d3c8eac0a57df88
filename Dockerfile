# syntax=docker/dockerfile:1

# The generated code of the API. Development packages stay in this stage.
FROM node:24-slim AS generated
WORKDIR /opt/imagetrust
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY buf.yaml buf.gen.yaml ./
COPY proto proto
COPY third_party/googleapis third_party/googleapis
RUN npm run --silent gen

# What runs in production. The optional packages bring another Node and a PostgreSQL: neither belongs into an image.
FROM node:24-slim AS packages
WORKDIR /opt/imagetrust
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:24-slim
WORKDIR /opt/imagetrust
COPY --from=packages /opt/imagetrust/node_modules node_modules
COPY --from=generated /opt/imagetrust/gen gen
COPY package.json LICENSE ./
COPY bin bin
COPY src src
COPY migrations migrations
COPY proto proto
COPY deploy/healthcheck.ts deploy/prepare.ts deploy/
COPY deploy/prepare deploy/prepare
# The one folder the service may write to, and only where it has to make what nobody configured.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/imagetrust
ENV NODE_ENV=production \
    IMAGETRUST_LISTEN=0.0.0.0:8443 \
    IMAGETRUST_METRICS_LISTEN=0.0.0.0:9464 \
    IMAGETRUST_DATA_DIR=/var/lib/imagetrust \
    NODE_COMPILE_CACHE=/tmp/node-compile-cache
USER 10001:10001
EXPOSE 8443 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["node", "deploy/healthcheck.ts"]
CMD ["bin/imagetrust", "serve"]
