# Three images, one per target: controller, trainer, scorer. Each is a folder that hack/images has prepared: the
# program, the shared libraries it needs, certificates, time zones; no shell. hack/images builds all three with
# buildah. docker and podman build the same from the same folders:
#   hack/images --prepare && docker build --target trainer --tag churn-trainer .
FROM scratch AS controller
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="churn-controller" \
    org.opencontainers.image.description="Watches ChurnModels and ChurnBatches and runs their Jobs" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED"
COPY build/images/root/controller/ /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/churn-controller"]

FROM scratch AS trainer
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="churn-trainer" \
    org.opencontainers.image.description="Trains a churn model: what the Jobs of ChurnModels run" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED"
COPY build/images/root/trainer/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/churn-trainer"]

FROM scratch AS scorer
ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="churn-scorer" \
    org.opencontainers.image.description="Scores a file of customers: what the Jobs of ChurnBatches run" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED"
COPY build/images/root/scorer/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/churn-scorer"]
