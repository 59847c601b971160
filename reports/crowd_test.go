package reports_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
)

// crowd is a run in which each kind of peer fared in another way.
func crowd() *crowds.Run {
	const start, ms = time.Second, time.Millisecond
	run := &crowds.Run{
		Target: "exec ./server " + hostile, Then: crowds.ServerStops, Started: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Opening: 20 * ms, Took: 6 * time.Second, Patience: 5 * time.Second, Observed: true,
		Exit:   &evidence.Exit{Observed: true, At: 2 * time.Second, Status: 3, Words: "exit status 3 " + hostile},
		Output: hostile, Notes: []string{"a note " + hostile},
	}
	for i := range 40 {
		m := peers.Member{Peer: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, 1}), uint16(1000+i)),
			Trigger: start, Bound: ms, StoppedAt: start + 5*time.Second}
		took := time.Duration(i+1) * ms
		switch i % 4 {
		case 0:
			m.Kind, m.Code, m.CloseAt, m.FIN, m.Released = peers.Polite, 1001, start+ms, start+took, start+took
		case 1:
			m.Kind, m.Code, m.CloseAt, m.FIN, m.Released = peers.Ignores, -1, start+ms, start+2*time.Second+took, start+2*time.Second+took
		case 2:
			m.Kind = peers.Vanishes // still held
		case 3:
			m.Kind, m.RST, m.Released = peers.StopsReading, start+took, start+took
		}
		run.Members = append(run.Members, m)
	}
	run.Members[0].Err = "connect: refused " + hostile
	run.Members[4].EndedEarly = true
	return run
}

// TestExitLeftBehind: what the server had started is told of where it outlived it.
func TestExitLeftBehind(t *testing.T) {
	const s = time.Second
	for want, e := range map[string]evidence.Exit{
		"exit after 2.00 s (exit status 0)\n":                                                     {At: 2 * s, Gone: 2 * s},
		"exit after 2.00 s (exit status 0); all that it had started was gone after 3.00 s\n":      {At: 2 * s, Gone: 3 * s},
		"exit after 2.00 s (exit status 0); what it had started still ran after 35.0 s, killed\n": {At: 2 * s, Gone: 35 * s, Left: true},
		"killed after 35.0 s\n": {At: 35 * s, Gone: 35 * s, Killed: true},
	} {
		e.Observed, e.Words = true, "exit status 0"
		run := crowd()
		run.Exit = &e
		var text bytes.Buffer
		reports.CrowdText(&text, reports.NewCrowd(run), reports.TerminalOptions{Width: 100})
		if got := text.String(); !strings.HasSuffix(got, want) {
			t.Errorf("%q is not at the end of\n%s", want, got)
		}
	}
}

func TestCrowd(t *testing.T) {
	var text, json, svg bytes.Buffer
	reports.CrowdText(&text, reports.NewCrowd(crowd()), reports.TerminalOptions{Width: 100})
	for _, err := range []error{reports.CrowdJSON(&json, reports.NewCrowd(crowd())), reports.CrowdSVG(&svg, reports.NewCrowd(crowd()))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "crowd.txt", text.Bytes())
	golden(t, "crowd.json", json.Bytes())
	golden(t, "crowd.svg", svg.Bytes())
	for _, b := range []string{text.String(), svg.String()} {
		if strings.ContainsAny(b, "\x1b\r\x00") || strings.Contains(b, "\u202e") {
			t.Errorf("not escaped: %q", b)
		}
	}
	wellFormed(t, svg.Bytes())
}

// A crowd that was interrupted while it opened has no curves.
func TestCrowdInterrupted(t *testing.T) {
	run := crowd()
	for i := range run.Members {
		run.Members[i] = peers.Member{Kind: run.Members[i].Kind, Peer: run.Members[i].Peer, StoppedAt: time.Second}
	}
	run.Exit, run.Stopped = nil, "interrupted"
	if c := reports.NewCrowd(run); len(c.Kinds) != 0 || c.Opened != len(run.Members) {
		t.Errorf("%+v", c)
	}
	var text bytes.Buffer
	reports.CrowdText(&text, reports.NewCrowd(run), reports.TerminalOptions{Width: 100})
	if strings.Contains(text.String(), "alive") {
		t.Error(text.String())
	}
}
