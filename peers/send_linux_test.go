package peers

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestSendLast: the frames and FIN come in one segment.
func TestSendLast(t *testing.T) {
	t.Parallel()
	segments := func(c *conn) (n uint32) {
		raw, err := c.tcp.SyscallConn()
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Error(err)
				return
			}
			n = info.Segs_in
		})
		return n
	}
	ready, came := make(chan struct{}), make(chan uint32, 1)
	o := serve(t, func(c *conn) {
		c.upgrade()
		before := segments(c)
		close(ready)
		_, _ = c.drain()
		came <- segments(c) - before
	})
	r := play(t, o, Opened(wait(ready), Trigger{}, SendLast{CloseFrame(1000, "")}, AwaitEnd{})...)
	if n := <-came; n != 1 {
		t.Errorf("the Close and FIN came in %d segments", n)
	}
	if len(r.CloseSent) != 1 || r.PeerFIN == nil {
		t.Errorf("Close %v, FIN %v", r.CloseSent, r.PeerFIN)
	}
}
