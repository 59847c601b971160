// Package evidence is what was seen of a connection: on the wire by the peer, of
// the server's socket by the kernel, and in the server's application by its own
// close events. Nothing here judges: package rules does.
package evidence
