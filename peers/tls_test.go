package peers

import (
	"io"
	"testing"
	"time"
)

// TestTLSEnds: what goes out for the peer's end, in bytes of TLS 1.3 (RFC 8446,
// 5.2): a header of 5, the type, a tag of 16, and 2 of the alert or the frame.
func TestTLSEnds(t *testing.T) {
	const record, alert = 5 + 1 + 16, 2
	cut := Text("cut")
	tests := []struct {
		name  string
		steps Script
		bytes int
		fin   bool
	}{
		{"FIN", Script{HalfClose{}}, record + alert, true},
		{"FIN alone", Script{HalfClose{Bare: true}}, 0, true},
		{"close_notify alone", Script{CloseNotify{}}, record + alert, false},
		{"record cut", Script{SendRecordPart{cut, 5}, HalfClose{Bare: true}}, record + len(cut.Encode()) - 5, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			o := serveTLS(t, func(c *conn) {
				defer close(done)
				c.upgrade()
				_ = c.tcp.SetReadDeadline(time.Now().Add(soon))
				b, err := io.ReadAll(c.tcp)
				if len(b) != test.bytes || (err == nil) != test.fin {
					t.Errorf("%d bytes, then %v", len(b), err)
				}
			})
			r := play(t, o, Opened(append(append(Script{Trigger{}}, test.steps...), AwaitEnd{})...)...)
			<-done
			if (r.PeerFIN != nil) != test.fin {
				t.Errorf("the peer's FIN %v", r.PeerFIN)
			}
		})
	}
}

// TestCloseNotifyIsAnswered: a peer that awaits the end ends its own side, as
// servers that wait for it expect.
func TestCloseNotifyIsAnswered(t *testing.T) {
	t.Parallel()
	o := serveTLS(t, func(c *conn) { c.upgrade(); closeNotify(c); _, _ = c.drain() })
	r := play(t, o, Opened(Trigger{}, AwaitEnd{}, Finish{})...)
	if r.CloseNotify == nil || r.PeerFIN == nil || r.FIN == nil || *r.PeerFIN > soon || *r.FIN < *r.PeerFIN {
		t.Errorf("close_notify %v, the peer's FIN %v, FIN %v", r.CloseNotify, r.PeerFIN, r.FIN)
	}
}
