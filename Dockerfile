# The exporter as a container: docs/containers.md says how to run it.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY iometer_exporter iometer_exporter
# Two environments: the tools that build the wheel do not come along into the image. Compiled here, because a
# read-only root cannot keep what is compiled at the start.
RUN python3 -m venv /build \
 && /build/bin/pip wheel --no-deps --wheel-dir /dist . \
 && python3 -m venv --without-pip /opt/iometer-exporter \
 && /build/bin/pip --python /opt/iometer-exporter/bin/python install --compile -c constraints.txt "$(ls /dist/*.whl)[provider]"

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="iometer-exporter" \
      org.opencontainers.image.description="Prometheus exporter for IOmeter smart-meter bridges" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# What could install something else is not needed any more.
RUN rm -rf /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip*
COPY --from=build /opt/iometer-exporter /opt/iometer-exporter
# For a volume with the state file: a new one takes the owner of the folder in the image.
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/iometer-exporter
ENV PATH=/opt/iometer-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it is not root; no such user need exist.
USER 65532:65532
WORKDIR /
EXPOSE 10180
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["iometer-exporter", "healthcheck"]
ENTRYPOINT ["iometer-exporter"]
CMD ["serve"]
