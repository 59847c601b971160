package reports_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// TestOnlyTheModelReadsARun: one file knows what a run is, and one what a crowd is, so no
// report can say what its JSON does not.
func TestOnlyTheModelReadsARun(t *testing.T) {
	allowed := []string{"../reports/new.go imports harness", "../reports/newcrowd.go imports crowds"}
	var found []string
	for _, folder := range []string{"reports", "page"} {
		files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				pkg := strings.TrimPrefix(strings.Trim(i.Path.Value, `"`), "github.com/finwait/finwait/")
				if pkg == "harness" || pkg == "crowds" {
					found = append(found, filepath.ToSlash(file)+" imports "+pkg)
				}
			}
		}
	}
	if diff := cmp.Diff(allowed, found); diff != "" {
		t.Errorf("files that read what was measured (-want +got):\n%s", diff)
	}
}

// everything is each report by its name.
func everything(t testing.TB, r *reports.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{
		"JUnit":        func(w io.Writer) error { return reports.JUnit(w, r, false) },
		"strict JUnit": func(w io.Writer) error { return reports.JUnit(w, r, true) },
		"Markdown":     func(w io.Writer) error { return reports.Markdown(w, r, reports.CommentMost) },
		"annotations":  func(w io.Writer) error { return reports.GitHub(w, r) },
		"JSON":         func(w io.Writer) error { return reports.JSON(w, r) },
		"page":         func(w io.Writer) error { return page.Report(w, r) },
		"diff":         func(w io.Writer) error { return reports.Compare(r, r, threshold).JSON(w) },
		"text": func(w io.Writer) error {
			show := reports.NewTerminal(w, reports.TerminalOptions{Width: 100, Verbose: true})
			show.Begin(r.Target, len(r.Scenarios), r.Notes...)
			for i := range r.Scenarios {
				show.Result(&r.Scenarios[i])
			}
			show.End(r)
			return nil
		},
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out[name] = b.String()
	}
	return out
}

// TestReadBack: each report says the same, byte for byte, when it is made from a run
// and from the run's JSON.
func TestReadBack(t *testing.T) {
	for name, run := range map[string]*harness.Run{
		"every verdict": example(), "a hostile server": withString(hostile + markup), "known failures": excused(),
		"a stop that was repeated": stopped(true), "a stop by a command": stopped(false),
		"intervals": probed(),
	} {
		t.Run(name, func(t *testing.T) {
			direct := reports.New(run)
			want := everything(t, direct)
			read, err := reports.ReadJSON(strings.NewReader(want["JSON"]))
			if err != nil {
				t.Fatal(err)
			}
			fits(t, "report", []byte(want["JSON"]))
			if diff := cmp.Diff(want, everything(t, read)); diff != "" {
				t.Errorf("from the run (-) and from its JSON (+):\n%s", diff)
			}
		})
	}
}

// TestReadBackCrowd is the same for a crowd.
func TestReadBackCrowd(t *testing.T) {
	everything := func(c *reports.Crowd) (json string, all []string) {
		var text, drawing, encoded bytes.Buffer
		reports.CrowdText(&text, c, reports.TerminalOptions{Width: 100})
		for _, err := range []error{reports.CrowdSVG(&drawing, c), reports.CrowdJSON(&encoded, c)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return encoded.String(), []string{text.String(), drawing.String(), encoded.String()}
	}
	whole, cut := crowd(), crowd()
	cut.Members[7].Peer, cut.Stopped = peers.Member{}.Peer, "interrupted "+hostile
	for _, run := range []*crowds.Run{whole, cut} {
		json, want := everything(reports.NewCrowd(run))
		_, read, err := reports.Read(strings.NewReader(json))
		if err != nil {
			t.Fatal(err)
		}
		if read.Peers() != len(run.Members) {
			t.Errorf("%d peers of %d", read.Peers(), len(run.Members))
		}
		if _, got := everything(read); !slices.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
	}
}

// excused is a run in which breaches are excused, are excused no more, and are new.
func excused() *harness.Run {
	run := example()
	r := run.Results[slices.IndexFunc(run.Results, func(r *harness.Result) bool { return r.Scenario.ID == "linger/no-fin" })]
	day := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for i, k := range []*rules.KnownFailure{{Reason: "in the tracker; " + hostile}, {Reason: "it (was) so", Until: day}, {Reason: "it is so", Until: day}} {
		f := r.Findings[0]
		f.Rule.ID, f.Known, f.Lapsed = []string{"R20", "R21", "R22"}[i], k, i == 1
		r.Findings = append(r.Findings, f)
	}
	return run
}

// stopped is a run that stops its server, once by finwait and twice, or by a command.
func stopped(own bool) *harness.Run {
	run := example()
	const ms = time.Millisecond
	play := func(held time.Duration) *harness.Result {
		r := *run.Results[0]
		record := *r.Record
		r.Record = &record
		r.Scenario = &harness.Scenario{ID: "shutdown/mixed", Title: "stops a server", Script: r.Scenario.Script, Stops: true}
		r.Verdict, record.Exit = harness.Fail, &evidence.Exit{}
		if own {
			record.Exit = &evidence.Exit{
				Observed: true, At: 2*time.Second + 5001*time.Nanosecond, Gone: 3 * time.Second,
				Words: "exit status 3 " + hostile, Status: 3, Output: hostile,
			}
		}
		for i := range 5 {
			at := held + time.Duration(i)*1234567*time.Nanosecond
			peer := *record.Record
			peer.Connected, peer.EndedAt = new(-time.Duration(i)*ms), at
			record.Crowd = append(record.Crowd, &evidence.Record{Record: &peer, Kind: []string{"polite", "ignores"}[i%2],
				Socket: evidence.Socket{Observed: own, Held: evidence.Survival{Until: at, Bound: 3 * ms, Censored: i == 3}}})
		}
		late := *record.Record
		late.Connected = new(20 * ms)
		refused := &evidence.Record{Record: &peers.Record{Ending: peers.Broken, Refused: true}, Kind: evidence.Connecting}
		record.Crowd = append(record.Crowd, refused, &evidence.Record{Record: &late, Kind: evidence.Connecting,
			Socket: evidence.Socket{Observed: own, Held: evidence.Survival{Until: time.Minute, Bound: ms}}})
		return &r
	}
	first, again := *run.Results[1], *run.Results[1]
	first.Plays = []*harness.Result{run.Results[1], &again}
	stop, kick := play(2*time.Second), play(time.Second)
	kick.Scenario = &harness.Scenario{ID: "kick/all", Script: kick.Scenario.Script, Alone: true}
	kick.Record.Exit, run.Output = nil, "the last words\x1b\n"
	if own {
		stop.Plays = []*harness.Result{stop, play(time.Second)}
	}
	run.Results = append(run.Results, &first, stop, kick)
	return run
}

// TestLongest: the time of a peer that was connected during a stop counts from then on.
func TestLongest(t *testing.T) {
	held := func(until float64) *reports.Survival { return &reports.Survival{Until: until} }
	for name, c := range map[string]struct {
		s    reports.Scenario
		want float64
	}{
		"its own": {reports.Scenario{Wire: &reports.Wire{Connected: new(-1.0)},
			Socket: &reports.Socket{Observed: true, Held: held(2)}}, 2},
		"a peer's": {reports.Scenario{Crowd: []reports.Member{{Kind: "polite", Held: held(3),
			Connected: new(-1.0)}}, Socket: &reports.Socket{Observed: true, Held: held(2)}}, 3},
		"a late peer's": {reports.Scenario{Crowd: []reports.Member{{Kind: "connecting", Held: held(3), Connected: new(2.0)}}}, 1},
		"a late peer's, of which it is not known when it was connected": {reports.Scenario{Crowd: []reports.Member{{Kind: "connecting", Held: held(3)}, {Kind: "polite", Held: held(2)}}}, 2},
	} {
		if got := c.s.Longest(); got == nil || got.Until != c.want {
			t.Errorf("%s: %v, want %g", name, got, c.want)
		}
	}
}
