package reports

import (
	"testing"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
)

// A crowd that was stopped again and again has its curves over all plays.
func TestCurvesOfPlays(t *testing.T) {
	play := func(at time.Duration, err string) *harness.Result {
		member := &evidence.Record{Record: &peers.Record{}, Kind: "polite", Socket: evidence.Socket{Observed: true,
			Held: evidence.Survival{Until: at}}}
		return &harness.Result{Scenario: &harness.Scenario{ID: "shutdown/polite"}, Record: &evidence.Record{
			Record: &peers.Record{Triggered: true, Err: err}, Crowd: []*evidence.Record{member, member}}}
	}
	r := *play(time.Second, "")
	r.Plays = []*harness.Result{&r, play(2*time.Second, ""), play(time.Hour, "it could not gather")}
	curves := crowdCurves(&r)
	if len(curves) != 1 || curves[0].N != 4 || curves[0].Last != 2 {
		t.Errorf("%+v", curves)
	}
	if k := repeatedCurve(&r); k != nil {
		t.Errorf("a curve of the peer that asked: %+v", k)
	}
}
