# finwait alone: a static binary, and a user that is not root. It sees the sockets
# of a server in the same network namespace (docker run --network container:NAME).
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# .git is not here to tell it.
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.version=$VERSION" -o /finwait ./cmd/finwait

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /finwait /finwait
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/finwait"]
