# The engine and this folder's project in one image: the same for Prefect's server, the workers and the web app.
# Build: docker build -t vinculo .     Run: compose.yaml, docs/scale.md

# ── what is needed to build is left behind ───────────────────────────────────────────────────────────────────────
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /build && python -m venv --without-pip /opt/vinculo
COPY requirements/build.lock requirements/all.lock requirements/
RUN /build/bin/pip install --no-deps --require-hashes -r requirements/build.lock \
 && /build/bin/pip --python /opt/vinculo/bin/python install --no-deps --require-hashes -r requirements/all.lock
COPY pyproject.toml README.md vinculo.toml prefect.yaml ./
COPY connectors connectors
COPY flows flows
COPY plan plan
COPY segments segments
COPY templates templates
COPY vinculo vinculo
# The same sources give the same wheel, byte for byte.
ARG SOURCE_DATE_EPOCH=1577836800
RUN /build/bin/python -m hatchling build -t wheel \
 && /build/bin/pip --python /opt/vinculo/bin/python install --no-deps --no-index dist/*.whl

# ── what runs ────────────────────────────────────────────────────────────────────────────────────────────────────
FROM python:3.11.14-slim-bookworm
# tini hands signals on, and buries what a killed run leaves. Debian stable has one version of it.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --home-dir /project/var --shell /usr/sbin/nologin vinculo \
 && install -d -o vinculo -g vinculo /project/var
COPY --from=build /opt/vinculo /opt/vinculo
COPY --chmod=755 requirements/entrypoint.sh /usr/local/bin/entrypoint
WORKDIR /project
COPY vinculo.toml prefect.yaml ./
COPY connectors connectors
COPY flows flows
COPY plan plan
COPY segments segments
COPY templates templates
ENV PATH=/opt/vinculo/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DO_NOT_TRACK=1 \
    PREFECT_HOME=/project/var/prefect
USER 10001
VOLUME /project/var
EXPOSE 8500
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/entrypoint"]
CMD ["python", "-m", "vinculo.web"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8500/healthz', timeout=4)"]
