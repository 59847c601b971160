// Package finwaittest tests, in go test, how a WebSocket server closes its connections. It
// plays finwait's catalogue of misbehaving peers against the server. It judges what the
// server did by RFC 6455 and by the declared limits:
//
//	func TestClosing(t *testing.T) {
//		finwaittest.Run(t, finwaittest.Server{Handler: handler})
//	}
//
// Each scenario is a subtest that is named by its id: go test -run
// 'TestClosing/linger/no-fin$' plays that scenario alone. The flags -run, -skip and -short
// choose scenarios as they choose other subtests. A failure says what was wanted, what was
// seen, and which clause requires it.
//
// The guide is docs/go.md. https://github.com/finwait/finwait/blob/main/docs/go.md
package finwaittest
