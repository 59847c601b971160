// Package finwaittest tests in go test how a WebSocket server lets go of its
// connections. It plays finwait's catalogue of misbehaving peers against the server, and
// judges what it did by RFC 6455 and by the limits that were declared:
//
//	func TestClosing(t *testing.T) {
//		finwaittest.Run(t, finwaittest.Server{Handler: handler})
//	}
//
// Each scenario is a subtest by its id: go test -run 'TestClosing/linger/no-fin$' plays
// that one alone, and -run, -skip and -short choose among them as among other subtests.
// A failure says what was wanted, what was seen, and which clause asks for it.
//
// The guide is docs/go.md. https://github.com/finwait/finwait/blob/main/docs/go.md
package finwaittest
