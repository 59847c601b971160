package sockets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/internal/process"
)

// asObserver makes the test binary an observer elsewhere: an honest one for a port, or a liar.
const asObserver = "FINWAIT_TEST_OBSERVER"

func observerMain(kind string) {
	if _, lies := liars[kind]; lies {
		lie(kind)
		return
	}
	var port uint16
	_, _ = fmt.Sscan(kind, &port)
	fmt.Println("Welcome to this host.") // as a login shell may say
	o, err := Open()
	if err == nil {
		err = o.Stream(context.Background(), []uint16{port}, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func openRemote(t *testing.T, kind string) (*Remote, error) {
	t.Helper()
	program, err := os.Executable()
	check(t, err)
	cmd := process.Command(t.Context(), program)
	cmd.Env = append(os.Environ(), asObserver+"="+kind)
	return OpenRemote(t.Context(), cmd)
}

// TestRemote: what is told of a socket has bounds that are true on this host's clock.
func TestRemote(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			ln := listenOn(t, f)
			r, err := openRemote(t, fmt.Sprint(addr(ln.Addr()).Port()))
			check(t, err)
			defer r.Close()
			peer := dial(t, ln, f)
			w := r.Watch(addr(peer.LocalAddr()))
			server, err := ln.AcceptTCP()
			check(t, err)
			awaitRemote(t, w, w.Accepted())
			w.Urgent()
			w.Look()
			if l := w.Lifetime(); l.Failed != nil || !l.Released.IsZero() || l.State != "ESTABLISHED" {
				t.Errorf("%+v", l)
			}
			before, after := closeNow(t, server)
			awaitRemote(t, w, w.Released())
			if told := w.Lifetime().Released; told.After(time.Now()) {
				t.Error("the release that was told is to come")
			}
			check(t, peer.Close())
			awaitRemote(t, w, w.Freed())
			l := w.Lifetime()
			bounded(t, "release", l.Released, l.ReleasedBound, before, after)
			if l.ReleasedBound > time.Second || l.Failed != nil || l.Lost {
				t.Errorf("%+v", l)
			}
			w.Stop()
			stranger := r.Watch(addr(ln.Addr()))
			stranger.Look()
			if l := stranger.Lifetime(); l.Failed == nil || !l.Accepted.IsZero() {
				t.Errorf("a socket that is not there: %+v", l)
			}
			check(t, r.Failed())
		})
	}
}

func awaitRemote(t *testing.T, w *RemoteWatch, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		t.Fatalf("not within %s: %+v", patience, w.Lifetime())
	}
}

// liars have what finwait says of each.
var liars = map[string]string{
	"ends":          "ended (exit status 3): \"no such host\"",
	"silent":        "wrote nothing within 5s",
	"deaf":          "pass -i to docker exec or kubectl exec",
	"falls silent":  "did not answer within 5s",
	"other program": "wrote its first line, and only that, names the format",
	"other format":  "the format \"x\" and not finwait-observe",
	"newer version": "version 2 of finwait-observe, and this finwait reads version 1",
	"malformed":     "a line that is no JSON of this format: \"no JSON",
	"endless line":  "a line without end",
	"terminal":      "leave out the terminal (-t)",
	"future":        "of something that is to happen in 59m",
	"clock":         "its clock does not run as this host's does",
	"held again":    "that socket 1 is held after it was released",
	"freed first":   "that socket 1 was freed before it was released",
	"twice":         "twice that socket 1 was released",
	"negative":      "a time that cannot be",
	"floods":        "more than 50000 lines at once",
	"many sockets":  "of more than 8192 sockets at a time",
}

// TestLiars: finwait says what is wrong with an observer, and its watches learn nothing more.
func TestLiars(t *testing.T) {
	for kind, want := range liars {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r, err := openRemote(t, kind)
			if err == nil {
				defer r.Close()
				w := r.Watch(liarsPeer)
				w.Look()
				select {
				case <-r.failed:
				case <-time.After(3 * answerLimit):
					t.Fatal("it is believed")
				}
				if err = r.Failed(); !errors.Is(w.Lifetime().Failed, err) {
					t.Errorf("the watch says %v", w.Lifetime().Failed)
				}
				w.Look()
				w.Urgent()
			}
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want %q", err, want)
			}
		})
	}
}

// TestRemoteThatFallsSilent: a socket is not held until finwait stopped looking because nobody tells
// of its end.
func TestRemoteThatFallsSilent(t *testing.T) {
	t.Parallel()
	r, err := openRemote(t, "falls silent")
	check(t, err)
	defer r.Close()
	w := r.Watch(liarsPeer)
	awaitRemote(t, w, w.Accepted())
	if l := w.Lifetime(); l.Failed != nil {
		t.Errorf("before the look: %+v", l)
	}
	w.Look()
	const want = "did not answer within 1s, when finwait stopped looking"
	if l := w.Lifetime(); l.Failed == nil || !strings.Contains(l.Failed.Error(), want) {
		t.Errorf("%+v; want %q", l, want)
	}
}

var liarsPeer = netip.MustParseAddrPort("192.0.2.1:4000")

// lie is an observer elsewhere that misbehaves.
func lie(kind string) {
	began := time.Now()
	say := func(text string) { fmt.Println(text) }
	event := func(text string) {
		say(fmt.Sprintf(`{"peer":%q,"server":"192.0.2.2:80","socket":1,"at":%d,%s}`, liarsPeer, time.Since(began), text))
	}
	forever := func() { <-time.After(time.Minute) }
	hello := `{"format":"finwait-observe","version":1,"ports":[80]}`
	switch kind {
	case "ends":
		fmt.Fprintln(os.Stderr, "no such host")
		os.Exit(3)
	case "silent":
		forever()
	case "other program":
		hello = `{"level":"info"}`
	case "other format":
		hello = `{"format":"x","version":1}`
	case "newer version":
		hello = `{"format":"finwait-observe","version":2}`
	}
	say(hello)
	if kind == "deaf" {
		forever()
	}
	var o order
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		_ = json.Unmarshal(in.Bytes(), &o)
		switch {
		case kind == "terminal":
			say(in.Text())
		case o.Sync <= firstSyncs:
		case kind == "falls silent" && o.Sync > firstSyncs+1:
			continue
		case kind == "clock":
			began = began.Add(-time.Hour)
		}
		say(fmt.Sprintf(`{"sync":%d,"at":%d}`, o.Sync, time.Since(began)))
		if o.Sync != firstSyncs+1 { // the test asks when its watch is there
			continue
		}
		switch kind {
		case "falls silent":
			event(`"event":"accepted"`)
		case "malformed":
			say("no JSON")
		case "endless line":
			for {
				fmt.Print(strings.Repeat("x", 1000))
			}
		case "future":
			began = began.Add(-time.Hour)
			event(`"event":"released"`)
		case "held again":
			event(`"event":"released"`)
			event(`"event":"state","state":"ESTABLISHED","held":true`)
		case "freed first":
			event(`"event":"freed"`)
		case "twice":
			event(`"event":"released"`)
			event(`"event":"released"`)
		case "negative":
			event(`"event":"released","bound":99999999999999`)
		case "floods":
			for {
				event(`"event":"state","state":"ESTABLISHED"`)
			}
		case "many sockets":
			for i := range 2 * mostKnown {
				say(fmt.Sprintf(`{"peer":"192.0.2.1:1","socket":%d,"at":1,"event":"accepted"}`, i+1))
			}
		}
	}
}
