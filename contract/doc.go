// Package contract is finwait's side of the control contract (docs/contract.md):
// what it asks of a server's application by messages, or by command lines of the
// user, and how it finds out whether the server obeys.
package contract
