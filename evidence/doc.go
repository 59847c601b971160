// Package evidence records what was seen of a connection: by the peer on the wire, by this
// host's kernel of the server's socket, and by the server's application in its own close
// events. Nothing here judges; package rules does.
package evidence
