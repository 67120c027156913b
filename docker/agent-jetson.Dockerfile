# The agent for a Jetson: TensorRT and CUDA are the base image's, the driver comes from the host by --runtime=nvidia.
#
# `controller image --for DEVICE` chooses both bases by the board's L4T and makes the build context, a wheelhouse:
# nothing is downloaded here, and nothing when it runs. Neither base has a default.
#   JetPack 6  BUILD_IMAGE l4t-jetpack (nvcc), BASE_IMAGE l4t-tensorrt:...-runtime
#   JetPack 7  both the same SBSA image of TensorRT
ARG BUILD_IMAGE
ARG BASE_IMAGE

FROM ${BUILD_IMAGE} AS packages
# Only where the build image lacks them, each with its version: APT_PACKAGES="python3-dev=3.10.6-1~22.04 g++=..."
ARG APT_PACKAGES=""
RUN set -eu; for package in $APT_PACKAGES; do case $package in *=*) ;; \
        *) echo "$package has no version: name it as NAME=VERSION" >&2; exit 1 ;; esac; done; \
    if [ -n "$APT_PACKAGES" ]; then apt-get update; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $APT_PACKAGES; fi
COPY . /wheelhouse
# pycuda is compiled here; without CURAND, which the runtime image lacks and the agent does not use.
RUN set -eu; cd /wheelhouse; sha256sum --quiet -c SHA256SUMS; \
    headers=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))'); \
    [ -e "$headers/Python.h" ] || { echo "$headers/Python.h is missing: give python3-dev in APT_PACKAGES" >&2; exit 1; }; \
    command -v g++ >/dev/null || { echo "g++ is missing: give it in APT_PACKAGES" >&2; exit 1; }; \
    PIP="python3 -m pip --no-cache-dir"; export PYTHONPATH=$(pwd)/$(echo pip-*.whl):/build-tools; \
    $PIP install --no-index --no-deps --require-hashes -f . --requirement build-requirements.txt --target /build-tools; \
    echo 'CUDA_ENABLE_CURAND = False' > /etc/aksetup-defaults.py; \
    export PATH=/usr/local/cuda/bin:$PATH CUDA_ROOT=/usr/local/cuda LIBRARY_PATH=/usr/local/cuda/lib64/stubs; \
    $PIP wheel --no-index --no-deps --no-build-isolation --wheel-dir /built pycuda-*.tar.gz; \
    $PIP install --no-index --no-deps --no-compile --require-hashes -f . --requirement requirements.txt \
        --target /opt/jetfleet; \
    $PIP install --no-index --no-deps --no-compile --target /opt/jetfleet /built/*.whl; \
    cd /opt/jetfleet; find . -type d -name tests -prune -exec rm -rf {} +; rm -rf controller numpy/f2py numpy/distutils; \
    python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .

FROM ${BASE_IMAGE}
COPY --from=packages /opt/jetfleet /opt/jetfleet
# TensorRT cannot be imported before the host's driver is mounted: only whether it is there is looked at.
RUN set -eu; python3 -c 'import importlib.util as u; assert u.find_spec("tensorrt"), "BASE_IMAGE has no TensorRT for python3"'; \
    mkdir -p -m 0700 /var/lib/jetfleet; chown 10001:10001 /var/lib/jetfleet
ENV PATH=/opt/jetfleet/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/jetfleet PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/var/lib/jetfleet JETFLEET_STATE=/var/lib/jetfleet JETFLEET_PULSE=/tmp/agent.pulse \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /var/lib/jetfleet
VOLUME /var/lib/jetfleet
STOPSIGNAL SIGTERM
# Healthy: its controller answered within two minutes. No Python is started beside a measurement for that.
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 \
    CMD test -n "$(find /tmp/agent.pulse -mmin -2 2>/dev/null)"
ENTRYPOINT ["agent"]
CMD ["run"]
