# The image: one static binary, a folder for its data, and container/ottla.yaml, which opens the listener to the network
# without authentication (allow.anonymous) and says so.

# Around the binary that make build made: docker build --target prebuilt .
FROM scratch AS prebuilt
COPY bin/ottla /ottla
COPY container/ottla.yaml /etc/ottla.yaml
COPY --chown=10001:10001 container/data /data
ENV OTTLA_CONFIG=/etc/ottla.yaml
USER 10001:10001
VOLUME /data
EXPOSE 9092 9404
HEALTHCHECK --interval=5s --timeout=4s --start-period=10s CMD ["/ottla", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ottla"]
CMD ["serve"]

FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /ottla ./cmd/ottla

FROM scratch
COPY --from=build /ottla /ottla
COPY container/ottla.yaml /etc/ottla.yaml
COPY --chown=10001:10001 container/data /data
ENV OTTLA_CONFIG=/etc/ottla.yaml
USER 10001:10001
VOLUME /data
EXPOSE 9092 9404
HEALTHCHECK --interval=5s --timeout=4s --start-period=10s CMD ["/ottla", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ottla"]
CMD ["serve"]
