package rules

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
)

// Who connects during the stop is judged from its own connecting, however late
// that was.
func TestLatecomer(t *testing.T) {
	profile := Profile{Response: 500 * time.Millisecond}
	for _, c := range []struct {
		name             string
		connected, ended time.Duration
		want             Outcome
	}{
		{"at once", 20 * time.Millisecond, 21 * time.Millisecond, Kept},
		{"late, and cut at once", 2 * time.Second, 2001 * time.Millisecond, Kept},
		{"early, and cut late", 20 * time.Millisecond, time.Second, Breached},
	} {
		never := &evidence.Record{Kind: evidence.Connecting, Record: &peers.Record{CutShort: peers.Script{peers.Knock{}}, Ending: peers.Open}}
		cut := &evidence.Record{Kind: "connecting", Record: &peers.Record{Connected: &c.connected, Ending: peers.RST, EndedAt: c.ended}}
		if f := NoneForgotten.Check(&evidence.Record{Crowd: []*evidence.Record{cut, never}}, profile); f.Outcome != c.want {
			t.Errorf("%s: %s, %s", c.name, f.Outcome, f.Got)
		}
	}
}

// A life whose end is not known exactly breaks a limit only if its earliest possible
// end does; finwait may not have looked for a while.
func TestEarliestEnd(t *testing.T) {
	profile := Profile{CloseTimeout: time.Second} // 2.2 s with its tolerance
	for _, c := range []struct {
		held evidence.Survival
		want Outcome
	}{
		{evidence.Survival{Until: 2 * time.Second}, Kept},
		{evidence.Survival{Until: 3 * time.Second, Bound: time.Second}, Kept},
		{evidence.Survival{Until: 3 * time.Second, Bound: time.Millisecond}, Breached},
		{evidence.Survival{Until: 3 * time.Second, Censored: true}, Breached},
	} {
		r := &evidence.Record{Record: &peers.Record{}, Socket: evidence.Socket{Observed: true, Held: c.held}}
		if f := LetsGoOfDead.Check(r, profile); f.Outcome != c.want {
			t.Errorf("%+v: %s, %s", c.held, f.Outcome, f.Got)
		}
		if f := CrowdReleased.Check(&evidence.Record{Crowd: []*evidence.Record{r}}, profile); f.Outcome != c.want {
			t.Errorf("a crowd, %+v: %s, %s", c.held, f.Outcome, f.Got)
		}
	}
}

// An event is not dated later than the answer that has it.
func TestEventOfTheFuture(t *testing.T) {
	start := time.Now()
	at := start.Add(time.Hour)
	r := &evidence.Record{Record: &peers.Record{Trigger: start}, Socket: evidence.Socket{Observed: true}}
	r.Events = evidence.AppEvents{Asked: true, Came: start.Add(time.Second), List: []evidence.AppEvent{{At: &at}}}
	if f := EventInTime.Check(r, Profile{CloseTimeout: time.Second}); f.Outcome != Moot {
		t.Errorf("%s, %s", f.Outcome, f.Got)
	}
}

// What a dark peer, or one that has ended its own side, could not see is not
// measured, and so not breached.
func TestNotSeen(t *testing.T) {
	bye := closeFrame(0, peers.CloseFrame(1000, ""))
	blind := func(closes ...peers.Close) *evidence.Record {
		return &evidence.Record{Record: &peers.Record{Ending: peers.Unseen, Closes: closes, CloseSent: []peers.Close{bye}}, Has: map[evidence.Capability]bool{evidence.ChosenCode: true}}
	}
	for _, c := range []struct {
		rule   Rule
		record *evidence.Record
	}{
		{Answered, blind()}, {ClosesTCP, blind(bye)}, {ClosesFirst, blind(bye)}, {EndsAfterFIN, blind()}, {FailsClosed, blind()},
		{SendsCode(1000, ""), blind()}, {MessageFirst, blind()},
	} {
		if f := c.rule.Check(c.record, Profile{}); f.Outcome != Unmeasured || f.Missing != evidence.Sight {
			t.Errorf("%s: %s, %s", c.rule.ID, f.Outcome, f.Got)
		}
	}
}

// No event until finwait gave up breaks the limit of the event, and says nothing
// about how many events there are.
func TestNoEventUntilGivingUp(t *testing.T) {
	profile := Profile{CloseTimeout: time.Second}
	for _, c := range []struct {
		name          string
		gaveUp        bool
		stopped       time.Duration
		inTime, count Outcome
	}{
		{"after the limit", true, time.Minute, Breached, Moot},
		{"before the limit", true, time.Second, Moot, Moot},
		{"the server ended it", false, time.Minute, Moot, Breached},
	} {
		r := &evidence.Record{Record: &peers.Record{GaveUp: c.gaveUp, Stopped: c.stopped, Ending: peers.FIN}, Events: evidence.AppEvents{Asked: true}}
		if f := EventInTime.Check(r, profile); f.Outcome != c.inTime {
			t.Errorf("%s: R26 %s, %s", c.name, f.Outcome, f.Got)
		}
		if f := OneEvent.Check(r, profile); f.Outcome != c.count {
			t.Errorf("%s: R25 %s, %s", c.name, f.Outcome, f.Got)
		}
	}
}
