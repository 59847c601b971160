# The image has only finwait: a static binary, and a user that is not root. finwait sees
# the sockets of a server in the same network namespace
# (docker run --network container:NAME).
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The build cannot read the version from .git, which is not in the image.
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.version=$VERSION" -o /finwait ./cmd/finwait

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /finwait /finwait
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/finwait"]
