# The tracker script, minified. Nothing of Node gets into the image.
FROM node:24-bookworm-slim AS script
WORKDIR /src/npm
COPY npm/package.json npm/package-lock.json npm/.npmrc ./
RUN npm ci --ignore-scripts
COPY npm/minify.mjs ./
COPY proxy/static /src/proxy/static
RUN npm run minify

# Debian slim, not Alpine: google-re2 has no musl wheels. A stage of its own so that no compiler or pip cache is in the image.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/geoip.txt requirements/
RUN python -m venv /opt/firsthand \
 && /opt/firsthand/bin/pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements/build.txt -r requirements/runtime.txt \
    -r requirements/geoip.txt
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
COPY --from=script /src/proxy/static/built proxy/static/built
RUN /opt/firsthand/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/firsthand/bin/pip uninstall --yes wheel pip

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin firsthand \
 && install -d -o firsthand -g firsthand -m 0700 /data
COPY --from=build /opt/firsthand /opt/firsthand
# Works with a read-only root: everything written goes to /data (the log and, unless `keys` is set, the key file).
ENV PATH=/opt/firsthand/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 FIRSTHAND_CONFIG=/etc/firsthand/config.yaml
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["firsthand"]
CMD ["serve"]
