package harness_test

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

func TestProfile(t *testing.T) {
	second := time.Second
	for _, c := range []struct {
		name string
		p    rules.Profile
		want rules.Profile // its limits; zero where there is an error
		err  string
	}{
		{"defaults", rules.Profile{}, rules.Profile{CloseTimeout: 10 * second, Response: second,
			Patience: 35 * second}, ""},
		{"a long close timeout", rules.Profile{CloseTimeout: 60 * second},
			rules.Profile{CloseTimeout: 60 * second, Response: second, Patience: 78 * second}, ""},
		{"all given", rules.Profile{CloseTimeout: second, Response: 2 * second, Patience: 3 * second},
			rules.Profile{CloseTimeout: second, Response: 2 * second, Patience: 3 * second}, ""},
		{"a negative close timeout", rules.Profile{CloseTimeout: -1}, rules.Profile{},
			"a time limit is negative: give positive durations such as 10s"},
		{"a negative ping interval", rules.Profile{PingInterval: -1}, rules.Profile{},
			"a time limit is negative: give positive durations such as 10s"},
		{"too little patience", rules.Profile{Patience: 5 * second}, rules.Profile{},
			"patience 5s does not reach past the close timeout with its tolerance (13s): raise --patience or lower --close-timeout"},
		{"patience up to the limit", rules.Profile{Patience: 13 * second}, rules.Profile{},
			"patience 13s does not reach past the close timeout with its tolerance (13s): raise --patience or lower --close-timeout"},
		{"a long response", rules.Profile{Response: 60 * second}, rules.Profile{},
			"response 1m0s is longer than patience 35s: raise --patience"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.p.WithDefaults()
			if message(err) != c.err {
				t.Fatalf("error %q, want %q", message(err), c.err)
			}
			c.want.StopTimeout = 10 * second // where none is given
			if err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A selection that cannot run is refused before anything is connected.
func TestSelectionThatCannotRun(t *testing.T) {
	s := scenarios.Sanity()[0]
	for _, c := range []struct {
		list []*harness.Scenario
		want string
	}{
		{nil, "no scenario is selected"},
		{[]*harness.Scenario{s, s}, "scenario " + s.ID + " stands twice in the selection"},
	} {
		target := &servers.Target{URL: &url.URL{Scheme: "ws", Host: "127.0.0.1:1"}, Profile: profile}
		if _, err := harness.Start(t.Context(), target, c.list, harness.Options{}); message(err) != c.want {
			t.Errorf("%q, want %q", message(err), c.want)
		}
	}
}

func TestAwait(t *testing.T) {
	batch, err := start(t.Context(), serve(t, "never-reads"), scenarios.Sanity())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Await(t.Context(), "no/such"); message(err) != "scenario no/such is not part of this run" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := batch.Await(ctx, "sanity/close"); message(err) != "enough" {
		t.Error(err)
	}
	r, err := batch.Await(t.Context(), "sanity/close")
	if err != nil || r.Scenario.ID != "sanity/close" || r.Verdict != harness.Fail {
		t.Errorf("%+v, %v", r, err)
	}
	if run := batch.Wait(); !strings.HasPrefix(run.Target, "ws://127.0.0.1:") {
		t.Errorf("target %q", run.Target)
	}
}
