# The controller (x86-64 or aarch64). It takes job files with ONNX models; whoever exports from PyTorch does so on a
# workstation and submits from there.
#
# The build context is a wheelhouse, which `controller image --controller --wheelhouse DIR` makes: nothing is downloaded
# here, and nothing when it runs. The base needs glibc 2.28 or newer and the Python that the wheelhouse is for, no pip.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS packages
COPY . /wheelhouse
RUN set -eu; cd /wheelhouse; sha256sum --quiet -c SHA256SUMS; \
    PYTHONPATH=$(echo pip-*.whl) python3 -m pip install --no-index --no-deps --no-compile --no-cache-dir \
        --require-hashes -f . --requirement requirements.txt --target /opt/jetfleet; \
    cd /opt/jetfleet; rm -rf agent onnxruntime/transformers onnxruntime/tools onnxruntime/datasets onnx/backend/test/data; \
    python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .

FROM ${BASE_IMAGE}
COPY --from=packages /opt/jetfleet /opt/jetfleet
RUN mkdir -p -m 0700 /var/lib/jetfleet && chown 10001:10001 /var/lib/jetfleet
# The address is its own socket: a command in this container finds the controller, and never starts another one.
ENV PATH=/opt/jetfleet/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/jetfleet PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/var/lib/jetfleet JETFLEET_STATE=/var/lib/jetfleet JETFLEET_ADDRESS=unix:/var/lib/jetfleet/controller.sock
USER 10001:10001
WORKDIR /var/lib/jetfleet
VOLUME /var/lib/jetfleet
EXPOSE 50051 50052
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=30s --retries=3 CMD ["controller", "devices", "list"]
ENTRYPOINT ["controller"]
CMD ["serve", "--listen", "0.0.0.0:50051", "--agents", "0.0.0.0:50052"]
