// Package crowds holds thousands of connections to a server open, ends them all at one
// moment, and follows each until the server has released its socket.
package crowds
