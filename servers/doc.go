// Package servers describes the server under test: how it is reached and by which limits it
// is judged. Where finwait starts the server, the package also runs its process.
package servers
