// Package servers is the server under test: how it is reached and judged, and, where
// finwait starts it, its process.
package servers
