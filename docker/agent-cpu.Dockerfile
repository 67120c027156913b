# The agent for a machine without TensorRT (x86-64 or aarch64): it measures on the CPU with ONNX Runtime.
#
# The build context is a wheelhouse, which `controller image --wheelhouse DIR` makes: nothing is downloaded here, and
# nothing when it runs. The base needs glibc 2.28 or newer and the Python that the wheelhouse is for, no pip.
# It has no default: a base that nobody chose is a base that nobody knows.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS packages
COPY . /wheelhouse
RUN set -eu; cd /wheelhouse; sha256sum --quiet -c SHA256SUMS; \
    PYTHONPATH=$(echo pip-*.whl) python3 -m pip install --no-index --no-deps --no-compile --no-cache-dir \
        --require-hashes -f . --requirement requirements.txt --target /opt/jetfleet; \
    cd /opt/jetfleet; find . -type d -name tests -prune -exec rm -rf {} +; \
    rm -rf controller onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/datasets \
        numpy/f2py numpy/distutils; \
    python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .

FROM ${BASE_IMAGE}
COPY --from=packages /opt/jetfleet /opt/jetfleet
RUN mkdir -p -m 0700 /var/lib/jetfleet && chown 10001:10001 /var/lib/jetfleet
ENV PATH=/opt/jetfleet/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/jetfleet PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/var/lib/jetfleet JETFLEET_STATE=/var/lib/jetfleet JETFLEET_PULSE=/tmp/agent.pulse
USER 10001:10001
WORKDIR /var/lib/jetfleet
VOLUME /var/lib/jetfleet
STOPSIGNAL SIGTERM
# Healthy: its controller answered within two minutes. No Python is started beside a measurement for that.
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 \
    CMD test -n "$(find /tmp/agent.pulse -mmin -2 2>/dev/null)"
ENTRYPOINT ["agent"]
CMD ["run"]
