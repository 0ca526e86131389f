# The web page, and every other command of auditctl: see docs/how-to/docker.md.
#   docker build -t auditctl . && docker run --rm auditctl --help

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY auditctl auditctl
COPY sql sql
COPY migrations migrations
COPY docs/man docs/man
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
RUN python -m venv --without-pip /opt/auditctl && \
    python -m pip --python /opt/auditctl install --no-cache-dir "$(ls /wheels/auditctl-*.whl)[web]"

FROM python:3.13-slim
COPY --from=build /opt/auditctl /opt/auditctl
ENV PATH=/opt/auditctl/bin:$PATH \
    PYTHONUNBUFFERED=1
# By number, so that an orchestrator can see that it is not root. It has no home and owns no file.
USER 10001:10001
EXPOSE 8484
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8484/healthz', timeout=5)"]
ENTRYPOINT ["auditctl"]
CMD ["serve", "--host", "0.0.0.0"]
