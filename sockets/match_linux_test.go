package sockets

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// newTestRemote is a reading end without a command, whose observer's clock was 0 some time ago,
// known to a millisecond.
func newTestRemote(began time.Duration) *Remote {
	r := &Remote{
		orders: make(chan order, 1), done: make(chan struct{}), failed: make(chan struct{}),
		syncs: map[int64]chan answered{}, sockets: map[uint64]*remoteSocket{}, watches: map[*RemoteWatch]bool{},
	}
	zero := time.Now().Add(-began)
	_ = r.clock.add(began, zero.Add(began), zero.Add(began+time.Millisecond))
	return r
}

func (r *Remote) takeText(text string) error {
	l, err := parseLine([]byte(text))
	if err != nil {
		return err
	}
	return r.take(l)
}

// TestMatch: a socket is found by the peer's address, or by its port alone if exactly one new
// socket has that.
func TestMatch(t *testing.T) {
	const socket = `{"event":"accepted","socket":%d,"peer":%q,"at":%d}`
	now := 10 * time.Second
	for _, test := range []struct {
		name  string
		lines []string
		want  string // a part of why it is not found; empty: it is
	}{
		{"the address", []string{
			fmt.Sprintf(socket, 1, "192.0.2.9:4000", now), fmt.Sprintf(socket, 2, "192.0.2.1:4000", now)}, ""},
		{"an IPv4-mapped address", []string{fmt.Sprintf(socket, 1, "[::ffff:192.0.2.1]:4000", now)}, ""},
		{"the port", []string{fmt.Sprintf(socket, 1, "10.0.0.1:4000", now), fmt.Sprintf(socket, 2, "10.0.0.1:4001", now)}, ""},
		{"two with the port", []string{
			fmt.Sprintf(socket, 1, "10.0.0.1:4000", now), fmt.Sprintf(socket, 2, "10.0.0.2:4000", now)},
			"2 sockets have the peer's port 4000"},
		{"none", []string{fmt.Sprintf(socket, 1, "192.0.2.1:4001", now)}, "sees no socket of a peer at 192.0.2.1:4000"},
		{"released before", []string{fmt.Sprintf(socket, 1, "192.0.2.1:4000", now),
			fmt.Sprintf(`{"event":"released","socket":1,"peer":"192.0.2.1:4000","at":%d,"bound":1000}`, now-2*time.Second)},
			"was released before the peer was connected"},
		{"some not followed", []string{`{"event":"lost","at":1,"why":"too many"}`}, `it told: "too many"`},
	} {
		for _, order := range []string{"before", "after"} {
			t.Run(test.name+" "+order, func(t *testing.T) {
				r := newTestRemote(now)
				var w *RemoteWatch
				watch := func() { w = r.Watch(netip.MustParseAddrPort("192.0.2.1:4000")) }
				if order == "after" {
					watch()
				}
				for _, text := range test.lines {
					check(t, r.takeText(text))
				}
				if order == "before" {
					watch()
				}
				l := w.Lifetime()
				switch {
				case test.want == "" && (l.Failed != nil || l.Accepted.IsZero()):
					t.Errorf("%+v", l)
				case test.want != "" && (l.Failed == nil || !strings.Contains(l.Failed.Error(), test.want)):
					t.Errorf("%v; want %q", l.Failed, test.want)
				}
			})
		}
	}
}

// FuzzLines: whatever an observer elsewhere writes, finwait does not panic, no bound is negative,
// and nothing is freed before it was released.
func FuzzLines(f *testing.F) {
	const peer = `"socket":1,"peer":"192.0.2.1:4000"`
	f.Add(`{"event":"accepted",` + peer + `,"at":5}` + "\n" + `{"event":"state",` + peer + `,"at":5,"state":"ESTABLISHED","held":true}` +
		"\n" + `{"event":"released",` + peer + `,"at":9,"bound":3}` + "\n" + `{"event":"freed",` + peer + `,"at":9,"bound":1}`)
	f.Add(`{"event":"state",` + peer + `,"at":7,"state":"TIME_WAIT","mini":true}` + "\n" + `{"sync":1,"at":9223372036854775807}`)
	f.Add(`{"event":"lost","at":0,"why":"\u0000"}` + "\n" + `{"event":"released",` + peer + `,"at":-1}` + "\n" +
		`{"format":"finwait-observe","version":1}`)
	f.Add(`{"event":"accepted","socket":2,"peer":"[fe80::1%lo]:4000","at":1}` + "\n" + `{"sync":1}` + "\n" + `[]`)
	f.Fuzz(func(t *testing.T, text string) {
		r := newTestRemote(time.Hour)
		w := r.Watch(netip.MustParseAddrPort("192.0.2.1:4000"))
		w.Urgent()
		for one := range strings.Lines(text) {
			if r.takeText(one) != nil {
				break
			}
		}
		l := w.Lifetime()
		if l.ReleasedBound < 0 || l.FreedBound < 0 || l.Released.After(time.Now().Add(time.Hour)) ||
			!l.Freed.IsZero() && l.Freed.Before(l.Released) {
			t.Errorf("%+v", l)
		}
		w.Stop()
	})
}
