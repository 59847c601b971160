package matrix

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// TestLogIsSerial checks that targets that end at the same time write whole lines, even to a
// writer that is not safe for concurrent use.
func TestLogIsSerial(t *testing.T) {
	var out bytes.Buffer
	log := &serial{w: &out}
	var writing sync.WaitGroup
	const n = 200
	for range n {
		writing.Go(func() { fmt.Fprintf(log, "%s\n", "a line") })
	}
	writing.Wait()
	if got := strings.Count(out.String(), "a line\n"); got != n {
		t.Errorf("%d lines of %d", got, n)
	}
}

// TestReadNull checks that null in place of a target or of a scenario is an error.
func TestReadNull(t *testing.T) {
	for _, targets := range []string{"null", `{"name": "a"}, null`, `{"name": "a", "scenarios": [null]}`} {
		text := fmt.Sprintf(`{"format": %q, "version": %d, "targets": [%s]}`, Format, Version, targets)
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "null") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", targets, err)
		}
	}
}

// TestReadTwo: what follows behind a matrix is not left out silently.
func TestReadTwo(t *testing.T) {
	text := fmt.Sprintf(`{"format": %q, "version": %d, "targets": []}`, Format, Version)
	if _, err := Read(strings.NewReader(text + "\n")); err != nil {
		t.Error(err)
	}
	if _, err := Read(strings.NewReader(text + text)); err == nil || !strings.Contains(err.Error(), "more follows behind it") {
		t.Error(err)
	}
}

// TestCatalogue checks that the fingerprint changes with each field of a scenario on which an
// outcome depends.
func TestCatalogue(t *testing.T) {
	whole := func() *harness.Scenario {
		return &harness.Scenario{
			ID: "a/b", Title: "closes", Needs: []evidence.Capability{evidence.Echo}, Labels: []string{"hang"}, Query: "a=b",
			Script: peers.Script{peers.Send{peers.CloseFrame(1000, strings.Repeat("r", 123))}},
			Crowd:  []harness.Crowd{{Kind: "polite", Count: 2, Script: peers.Script{peers.JoinBarrier{}}}},
			Rules:  []rules.Rule{{ID: "R1", Req: "R1", Grade: rules.Must, Clause: "RFC 6455, 5.5.1", Text: "answers"}},
			Asks:   []string{"R1"},
		}
	}
	words := map[string]bool{"Title": true, "Labels": true, "Rule.Req": true, "Rule.Clause": true, "Rule.Text": true,
		"Rule.Check": true, "Rule.Limit": true} // functions: the rule's id stands for them
	before := Fingerprint([]*harness.Scenario{whole()})
	fields := func(of reflect.Type, prefix string, in func(*harness.Scenario) reflect.Value) {
		for i := range of.NumField() {
			s, name := whole(), prefix+of.Field(i).Name
			switch field := in(s).Field(i); field.Kind() {
			case reflect.String:
				field.SetString(field.String() + "x")
			case reflect.Bool:
				field.SetBool(!field.Bool())
			case reflect.Int:
				field.SetInt(field.Int() + 1)
			default:
				field.SetZero()
			}
			if after := Fingerprint([]*harness.Scenario{s}); (after == before) != words[name] {
				t.Errorf("%s changed: %s before, %s after", name, before, after)
			}
		}
	}
	fields(reflect.TypeFor[harness.Scenario](), "", func(s *harness.Scenario) reflect.Value { return reflect.ValueOf(s).Elem() })
	fields(reflect.TypeFor[harness.Crowd](), "Crowd.",
		func(s *harness.Scenario) reflect.Value { return reflect.ValueOf(&s.Crowd[0]).Elem() })
	fields(reflect.TypeFor[rules.Rule](), "Rule.", func(s *harness.Scenario) reflect.Value { return reflect.ValueOf(&s.Rules[0]).Elem() })

	longer := whole()
	longer.Script = peers.Script{peers.Send{peers.CloseFrame(1000, strings.Repeat("r", 124))}}
	if after := Fingerprint([]*harness.Scenario{longer}); after == before {
		t.Error("a reason of 124 bytes is not told from one of 123")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"format": "finwait-matrix", "version": 1, "targets": [{"name": "a", "scenarios": [{"id": "a/b", "verdict": "fail", "breaches": [{}], "wireClose": null, "exit": {}}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		m.Put(&Outcome{Name: "b"})
		for _, o := range m.Targets {
			o.explain(&Target{})
			_ = o.Problems()
		}
		if err := m.Markdown(io.Discard, ""); err != nil {
			t.Error(err)
		}
	})
}
