package rules_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// vector is a record with the outcome that a rule must have on it. Its text is a
// file of a txtar archive, of which testdata/README.md describes the format.
type vector struct {
	archive string
	file    txtar.File
	id      string // of the rule
	rule    string // its name in Go
	outcome rules.Outcome
	never   bool // the rule never has this outcome; the vector has no record

	profile   rules.Profile
	record    *evidence.Record
	want, got string
	missing   evidence.Capability
	because   string
}

// looked is for how long a peer looks where a vector says nothing else: the patience.
const looked = 35 * time.Second

// readVectors reads all vectors, in the order of the archives.
func readVectors(t testing.TB) []*vector {
	t.Helper()
	archives, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no vectors in testdata: %v", err)
	}
	var out []*vector
	for _, name := range archives {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range txtar.Parse(text).Files {
			v, err := parseVector(file)
			if err != nil {
				t.Fatalf("%s: -- %s --: %s", name, file.Name, err)
			}
			v.archive = name
			out = append(out, v)
		}
	}
	return out
}

// parseVector reads one vector. Its name is "ID Rule outcome: title", or "ID Rule
// never outcome".
func parseVector(file txtar.File) (v *vector, err error) {
	v = &vector{file: file, record: newRecord("")}
	head, title, titled := strings.Cut(file.Name, ": ")
	words := splitHead(head)
	if len(words) == 4 && words[2] == "never" && !titled {
		v.never = true
		words = slices.Delete(words, 2, 3)
	}
	if len(words) != 3 || !v.never && title == "" {
		return nil, fmt.Errorf("its name is not %q", "ID Rule outcome: title")
	}
	v.id, v.rule, v.outcome = words[0], words[1], rules.Outcome(words[2])
	if !slices.Contains([]rules.Outcome{rules.Kept, rules.Breached, rules.Measured, rules.Moot, rules.Unmeasured}, v.outcome) {
		return nil, fmt.Errorf("%q is no outcome", v.outcome)
	}
	if v.profile, err = (rules.Profile{}).WithDefaults(); err != nil {
		return nil, err
	}
	group := []*evidence.Record{v.record} // whom a line is about
	seen := map[string]bool{}             // keys that can stand only once for them
	for line := range strings.Lines(string(file.Data)) {
		indented := strings.HasPrefix(line, "  ")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if key == "crowd" {
			clear(seen)
		}
		again := seen[key]
		seen[key] = !slices.Contains([]string{"sent", "received", "event", "echo"}, key)
		switch {
		case again && key != "crowd":
			return nil, fmt.Errorf("%q is the second line of its key", line)
		case !ok:
			return nil, fmt.Errorf("%q is not a line %q", line, "key: value")
		case indented && len(v.record.Crowd) == 0:
			return nil, fmt.Errorf("%q is indented, and there is no crowd above it", line)
		case !indented && key == "crowd":
			group, err = v.addCrowd(value)
		case !indented:
			group = []*evidence.Record{v.record}
			err = v.line(key, value)
		default:
			for _, r := range group {
				err = cmp.Or(err, recordLine(r, key, value))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	if v.never != (v.because != "") || v.never && len(seen) > 1 {
		return nil, fmt.Errorf("%q is all that a vector with %q has, and no other has it", "because", "never")
	}
	return v, nil
}

// splitHead splits a vector's name at the spaces outside of parentheses.
func splitHead(s string) []string {
	depth := 0
	return strings.FieldsFunc(s, func(r rune) bool {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		return r == ' ' && depth == 0
	})
}

// newRecord is the record of a peer whose handshake succeeded and that has seen
// nothing since. Its trigger is at the Unix epoch.
func newRecord(kind string) *evidence.Record {
	return &evidence.Record{
		Record: &peers.Record{
			Trigger: time.Unix(0, 0), Triggered: true, Status: 101,
			Ending: peers.Open, EndedAt: looked, Stopped: looked, Echoes: map[string]int{},
			FirstAt: map[string]time.Duration{}, Lengths: map[uint64]int{},
		},
		Socket: evidence.Socket{Why: "the server is on another host"},
		Kind:   kind, Has: map[evidence.Capability]bool{},
	}
}

// addCrowd adds peers to the crowd: "3 polite".
func (v *vector) addCrowd(value string) ([]*evidence.Record, error) {
	count, kind, ok := strings.Cut(value, " ")
	n, err := strconv.Atoi(count)
	if err != nil || !ok || n < 1 {
		return nil, fmt.Errorf("want a number and a kind")
	}
	for range n {
		r := newRecord(kind)
		r.Has = v.record.Has
		v.record.Crowd = append(v.record.Crowd, r)
	}
	return v.record.Crowd[len(v.record.Crowd)-n:], nil
}

// line reads a line that is about the run or the peer itself.
func (v *vector) line(key, value string) error {
	s := &scanner{words: fields(value)}
	switch key {
	case "want":
		v.want = value
	case "got":
		v.got = value
	case "missing":
		v.missing = evidence.Capability(value)
	case "because":
		v.because = value
	case "profile":
		return profileLine(&v.profile, s)
	case "has":
		for !s.done() {
			v.record.Has[evidence.Capability(s.word())] = true
		}
	case "exit":
		v.record.Exit = exitLine(s)
		return s.err(key)
	case "alive":
		v.record.Alive = aliveLine(s)
		return s.err(key)
	default:
		return recordLine(v.record, key, value)
	}
	return nil
}
