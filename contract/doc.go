// Package contract is finwait's side of the control contract (docs/contract.md). It asks a
// server's application to do something, by messages or by command lines of the user, and
// checks whether the application does what it claims to do.
package contract
