package rules_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// TestAnyRecord judges many records at random by every rule.
func TestAnyRecord(t *testing.T) {
	judge := anyRecord(t)
	judge(t, nil)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same records in each run
	for range 5000 {
		choices := make([]byte, random.IntN(200))
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		judge(t, choices)
	}
}

// FuzzAnyRecord looks for records on which a rule fails.
func FuzzAnyRecord(f *testing.F) {
	judge := anyRecord(f)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, choices []byte) { judge(t, choices) })
}

// anyRecord returns a check that every rule holds to on any record: it does not
// panic, says what was seen and what it asks for, and has no outcome that it is said
// never to have.
func anyRecord(tb testing.TB) func(t *testing.T, choices []byte) {
	subjects := subjects()
	possible := map[string][]rules.Outcome{}
	for name, rule := range subjects {
		possible[name] = outcomes(rule)
	}
	for _, v := range readVectors(tb) {
		if v.never {
			possible[v.rule] = slices.DeleteFunc(possible[v.rule], func(o rules.Outcome) bool { return o == v.outcome })
		} else if !slices.Contains(possible[v.rule], v.outcome) { // an INFO rule that may be unmeasured
			possible[v.rule] = append(possible[v.rule], v.outcome)
		}
	}
	return func(t *testing.T, choices []byte) {
		c := &chooser{choices}
		record, profile := c.record(2), c.profile()
		for name, rule := range subjects {
			f := rule.Judge(record, profile)
			judged := f.Outcome == rules.Kept || f.Outcome == rules.Breached
			switch {
			case !slices.Contains(possible[name], f.Outcome):
				t.Errorf("%s %s is %q (%s) on %v", rule.ID, name, f.Outcome, f.Got, choices)
			case f.Got == "", judged && f.Want == "", (f.Outcome == rules.Unmeasured) != (f.Missing != ""):
				t.Errorf("%s %s is %s: want %q, got %q, missing %q on %v", rule.ID, name, f.Outcome, f.Want, f.Got, f.Missing, choices)
			}
		}
	}
}

// chooser makes records of bytes: each is a choice, and behind the last one all are 0.
type chooser struct{ choices []byte }

// below is a number from 0 to n-1.
func (c *chooser) below(n int) int {
	if len(c.choices) == 0 {
		return 0
	}
	b := c.choices[0]
	c.choices = c.choices[1:]
	return int(b) % n
}

func (c *chooser) maybe() bool { return c.below(2) == 1 }

// of chooses one of several.
func of[T any](c *chooser, list ...T) T { return list[c.below(len(list))] }

func (c *chooser) time() time.Duration {
	const ms, s = time.Millisecond, time.Second
	return of(c, 0, -s, ms, 500*ms, 1200*ms, 5*s, 13*s, 13*s+1, looked)
}

func (c *chooser) maybeTime() *time.Duration {
	if !c.maybe() {
		return nil
	}
	at := c.time()
	return &at
}

func (c *chooser) closes() (out []peers.Close) {
	for range c.below(3) {
		body := of(c, peers.CloseBody(nil), peers.CloseBody([]byte{3}), peers.CloseFrame(1000, ""),
			peers.CloseFrame(1006, ""), peers.CloseFrame(4001, "bye"), peers.CloseFrame(1009, "\xff")).Payload
		out = append(out, peers.Close{At: c.time(), Body: body, Frame: peers.Header{
			Fin: !c.maybe(), RSV: byte(c.below(8)), Opcode: peers.OpClose, Masked: c.maybe(), Length: of(c, uint64(len(body)), 1, 126),
		}})
	}
	return out
}

func (c *chooser) code() *int {
	if !c.maybe() {
		return nil
	}
	return &[]int{0, 1000, 1001, 1005, 1006, 4001}[c.below(6)]
}

func (c *chooser) events() (out evidence.AppEvents) {
	out.Asked, out.Err = c.maybe(), of(c, "", "no answer")
	if c.maybe() {
		out.Came = time.Unix(0, 0).Add(c.time())
	}
	for range c.below(3) {
		e := evidence.AppEvent{Code: c.code(), Error: of(c, "", "reset")}
		if c.maybe() {
			clean, reason, at := c.maybe(), of(c, "", "bye"), time.Unix(0, 0).Add(c.time())
			e.Clean, e.Reason, e.At = &clean, &reason, &at
		}
		out.List = append(out.List, e)
	}
	return out
}

func (c *chooser) survival() evidence.Survival {
	return evidence.Survival{Until: c.time(), Bound: max(0, c.time()), Censored: c.maybe()}
}

// record is a record with a crowd whose members have none below that depth. All
// choices 0 give the record of a peer that has done and seen nothing.
func (c *chooser) record(depth int) *evidence.Record {
	r := &evidence.Record{Record: &peers.Record{
		Trigger: time.Unix(0, 0), CloseSent: c.closes(), Closes: c.closes(), Status: of(c, 0, 101, 503), Connected: c.maybeTime(),
		Ending:  of(c, peers.Ending(""), peers.Open, peers.FIN, peers.RST, peers.Broken, peers.Unseen),
		EndedAt: c.time(), FIN: c.maybeTime(), RST: c.maybeTime(), CloseNotify: c.maybeTime(), PeerFIN: c.maybeTime(),
		GaveUp: c.maybe(), Stopped: c.time(), AfterClose: c.below(2), Dropped: uint32(c.below(2)), //nolint:gosec // 0 or 1
	}}
	r.Record.Refused = c.maybe()
	if c.maybe() {
		r.CutShort = peers.Script{peers.ConnectAfter{}}
	}
	for range c.below(2) {
		text := of(c, "late", "ffff", "last words", "still here", peers.OpenedText)
		r.Messages = append(r.Messages, peers.Message{At: c.time(), Text: true, Length: uint64(len(text)), Payload: []byte(text)})
		r.Echoes, r.FirstAt = map[string]int{text: c.below(3)}, map[string]time.Duration{text: c.time()}
		r.Lengths = map[uint64]int{uint64(len(text)): c.below(3)}
	}
	r.Socket = evidence.Socket{Observed: c.maybe(), Held: c.survival(), Lost: c.maybe(), State: of(c, "", "FIN_WAIT2")}
	r.Events = c.events()
	r.Kind = of(c, "", evidence.Connecting, "stops-reading", "polite")
	if c.maybe() {
		r.Exit = &evidence.Exit{Observed: c.maybe(), At: c.time(), Killed: c.maybe(), Left: c.maybe(), Gone: c.time()}
		r.Exit.Status, r.Exit.Words = c.below(2)-1, "in words"
	}
	r.Alive = evidence.Liveness{Tried: c.maybe(), Short: c.maybe(), OK: c.maybe(), Took: c.time(), Err: "why"}
	if c.maybe() {
		r.Has = map[evidence.Capability]bool{}
		for _, has := range []evidence.Capability{evidence.Echo, evidence.TellsCode, evidence.ChosenCode, evidence.ChosenReason} {
			r.Has[has] = c.maybe()
		}
	}
	if depth > 1 {
		for range c.below(4) {
			r.Crowd = append(r.Crowd, c.record(depth-1))
		}
	}
	return r
}

// profile is any, also one without a limit.
func (c *chooser) profile() rules.Profile {
	p := rules.Profile{KillUntold: c.maybe()}
	for _, limit := range []*time.Duration{&p.CloseTimeout, &p.Response, &p.StopTimeout, &p.PingInterval} {
		*limit = max(0, c.time())
	}
	p.NoCode = rules.Convention{Declared: c.maybe(), Code: c.code()}
	p.LostCode = rules.Convention{Declared: c.maybe(), Code: c.code()}
	if c.maybe() {
		p.ShutdownCodes = []int{1012}
	}
	return p
}
