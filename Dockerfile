# syntax=docker/dockerfile:1
# agentcl behind HTTP: `docker build -t agentcl .`; docs/howto/deploy.md says how it is run.

FROM python:3.13-slim AS built
ARG EXTRAS=serve
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md CHANGELOG.md LICENSE ./
COPY agentcl ./agentcl
RUN python -m venv /opt/agentcl && /opt/agentcl/bin/pip install --no-cache-dir ".[${EXTRAS}]"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin agentcl \
    && install --directory --owner=agentcl --group=agentcl --mode=0700 /data
COPY --from=built /opt/agentcl /opt/agentcl
# Keys and what was confirmed stand in the volume too, beside the memory and not in it.
ENV PATH=/opt/agentcl/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    XDG_CONFIG_HOME=/data/config \
    XDG_CACHE_HOME=/data/cache
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8321
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8321/health', timeout=4)"]
ENTRYPOINT ["agentcl"]
CMD ["serve", "--path", "/data/memory", "--host", "0.0.0.0", "--key-file", "/data/key", "--log", "json"]
