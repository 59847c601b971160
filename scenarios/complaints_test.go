package scenarios_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/rules"
)

// complaints has a line for each rule that a run should breach and did not, because the
// fault is there to break it, and for each that it breached besides. A line says what
// happened, and by which commands one sees it.
func complaints(f reference.Fault, run *harness.Run) (out []string) {
	breached := broken(run)
	for _, id := range f.Breaks {
		if _, ok := breached[id]; !ok {
			out = append(out, notBreached(f.Name, id, run))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(breached)) {
		if b := breached[id]; !slices.Contains(f.Breaks, id) {
			out = append(out, fmt.Sprintf("fault %s should not breach %s in scenario %s: %s; see it: %s",
				f.Name, id, b.in.ID, b.saw, seeIt(f.Name, b.in)))
		}
	}
	return out
}

// notBreached says what became of a rule in a run that should breach it: how often each
// outcome occurred, and in which scenario to look first.
func notBreached(fault, id string, run *harness.Run) string {
	const unjudged = rules.Outcome("not judged") // in a scenario that was skipped or could not be carried out
	counts := map[rules.Outcome]int{}
	first := map[rules.Outcome]example{}
	count := func(o rules.Outcome, in *harness.Scenario, saw string) {
		if counts[o]++; counts[o] == 1 {
			first[o] = example{in, saw}
		}
	}
	for _, r := range run.Results {
		found := false
		for _, f := range r.Findings {
			if f.Rule.ID != id {
				continue
			}
			found = true
			count(f.Outcome, r.Scenario, fmt.Sprintf("want %s; got %s", f.Want, f.Got))
		}
		if !found && slices.ContainsFunc(r.Scenario.Rules, func(r rules.Rule) bool { return r.ID == id }) {
			count(unjudged, r.Scenario, strings.TrimSpace(fmt.Sprintf("%s %v %s", r.Verdict, r.Missing, r.Err)))
		}
	}
	var was []string
	var look example
	for _, o := range []rules.Outcome{rules.Kept, rules.Moot, rules.Unmeasured, rules.Measured, unjudged} {
		if counts[o] > 0 || o == rules.Kept || o == rules.Moot {
			was = append(was, fmt.Sprintf("%s %s", o, times(counts[o])))
		}
		if look.in == nil {
			look = first[o]
		}
	}
	if look.in == nil {
		return fmt.Sprintf("fault %s should breach %s, but no scenario of the run is judged by it", fault, id)
	}
	return fmt.Sprintf("fault %s should breach %s in scenario %s: it was %s; there: %s; see it: %s",
		fault, id, look.in.ID, strings.Join(was, ", "), look.saw, seeIt(fault, look.in))
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// seeIt are the commands that play a scenario against a fault.
func seeIt(fault string, s *harness.Scenario) string {
	only := "--only " + s.ID + " -v"
	switch {
	case s.Stops:
		return fmt.Sprintf("finwait run --exec 'finwait serve --fault %s --listen 127.0.0.1:{port}' %s", fault, only)
	case slices.Contains(s.Needs, evidence.TLS), fault == needsTLS:
		return fmt.Sprintf("finwait serve --fault %s --cert FILE --key FILE, then finwait run URL --insecure %s", fault, only)
	}
	return fmt.Sprintf("finwait serve --fault %s, then finwait run URL %s", fault, only)
}

func TestComplaints(t *testing.T) {
	again := rules.Rule{ID: "R7-again", Grade: rules.Must}
	result := func(id string, outcome rules.Outcome) *harness.Result {
		return &harness.Result{
			Scenario: &harness.Scenario{ID: id, Rules: []rules.Rule{again}}, Verdict: harness.Pass,
			Findings: []rules.Finding{{Rule: again, Outcome: outcome, Want: "one Close frame", Got: "close 1000"}},
		}
	}
	stops := result("shutdown/a", rules.Moot)
	stops.Scenario.Stops = true
	wss := []evidence.Capability{evidence.TLS}
	skipped := &harness.Result{Verdict: harness.Skip, Missing: wss,
		Scenario: &harness.Scenario{ID: "tls/a", Rules: []rules.Rule{again}, Needs: wss}}
	for _, c := range []struct {
		name    string
		breaks  []string
		results []*harness.Result
		want    []string
	}{
		{"as meant", []string{"R7-again"}, []*harness.Result{
			result("a/b", rules.Breached), result("a/c", rules.Kept)}, nil},
		{"kept", []string{"R7-again"}, []*harness.Result{
			result("a/b", rules.Moot), result("a/c", rules.Kept), result("a/d", rules.Moot)}, []string{
			"fault two-closes should breach R7-again in scenario a/c: it was kept once, moot 2 times; " +
				"there: want one Close frame; got close 1000; " +
				"see it: finwait serve --fault two-closes, then finwait run URL --only a/c -v"}},
		{"unmeasured", []string{"R7-again"}, []*harness.Result{result("a/b", rules.Unmeasured)}, []string{
			"fault two-closes should breach R7-again in scenario a/b: it was kept never, moot never, unmeasured once; " +
				"there: want one Close frame; got close 1000; " +
				"see it: finwait serve --fault two-closes, then finwait run URL --only a/b -v"}},
		{"skipped", []string{"R7-again"}, []*harness.Result{skipped}, []string{
			"fault two-closes should breach R7-again in scenario tls/a: it was kept never, moot never, not judged once; " +
				"there: skip [wss]; " +
				"see it: finwait serve --fault two-closes --cert FILE --key FILE, " +
				"then finwait run URL --insecure --only tls/a -v"}},
		{"stopped", []string{"R7-again"}, []*harness.Result{stops}, []string{
			"fault two-closes should breach R7-again in scenario shutdown/a: it was kept never, moot once; " +
				"there: want one Close frame; got close 1000; " +
				"see it: finwait run --exec 'finwait serve --fault two-closes --listen 127.0.0.1:{port}' --only shutdown/a -v"}},
		{"not in the catalogue", []string{"R99"}, []*harness.Result{result("a/b", rules.Kept)}, []string{
			"fault two-closes should breach R99, but no scenario of the run is judged by it"}},
		{"another rule", nil, []*harness.Result{result("a/b", rules.Breached)}, []string{
			"fault two-closes should not breach R7-again in scenario a/b: want one Close frame; got close 1000; " +
				"see it: finwait serve --fault two-closes, then finwait run URL --only a/b -v"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := complaints(reference.Fault{Name: "two-closes", Breaks: c.breaks}, &harness.Run{Results: c.results})
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
