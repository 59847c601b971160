package page_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/finwait/finwait/matrix"
	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reports"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// injection is what a server might send to break a page.
const injection = "\"'`><img src=//127.0.0.1:9/x onerror=\"document.title='owned'\"><script>document.title='owned'</script></script></style></template><!-- {{.}} javascript:alert(1) \u202e\x00"

// example is the report of reports' own golden file, with a peer that repeats
// itself, and a shutdown.
func example(t *testing.T) *reports.Report {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "reports", "testdata", "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := reports.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	for at := range 3 {
		r.Scenarios[0].Trace = append(r.Scenarios[0].Trace, reports.Event{At: 10 + float64(at), Dir: "sent", What: "text \"too late\""})
	}
	r.Scenarios = append(r.Scenarios, stop())
	return r
}

// injected is a report in which every text that a server could have written, and
// more, is an injection.
func injected(t *testing.T) *reports.Report {
	r := example(t)
	kept := []string{"ID", "Family", "Verdict", "Outcome", "Dir", "Format", "Grade"}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(injection)
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && !slices.Contains(kept, f.Name) {
					walk(v.Field(i))
				}
			}
		}
	}
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		reason := ""
		s.Events = []reports.AppEvent{{Reason: &reason, At: &s.Started}}
		s.Exit = &reports.Exit{Words: injection, Output: injection}
		s.Curves = []reports.Curve{{Kind: injection, N: 1, Last: 1, Steps: []reports.CurveStep{{At: 1, AtRisk: 1, Deaths: 1}}}}
	}
	walk(reflect.ValueOf(r))
	return r
}

// compared is a matrix of the report, for as many targets.
func compared(r *reports.Report, targets ...string) *matrix.Matrix {
	m := &matrix.Matrix{Format: matrix.Format, Version: matrix.Version, Host: "linux", Profile: r.Profile, Runs: 1}
	for _, name := range targets {
		o := &matrix.Outcome{Name: name, Library: "library", LibVersion: "1.0", Language: "Go", At: time.Unix(1_800_000_000, 0).UTC()}
		for _, s := range r.Scenarios {
			c := &matrix.Cell{ID: s.ID, Verdict: s.Verdict, Error: s.Error}
			for _, f := range s.Findings {
				if f.Outcome == "breached" {
					c.Breaches = append(c.Breaches, matrix.Breach{Rule: f.Rule, Grade: f.Grade, Want: f.Want, Got: f.Got, Because: injection})
				}
			}
			o.Cells = append(o.Cells, c)
		}
		m.Targets = append(m.Targets, o)
	}
	return m
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestReport(t *testing.T) {
	var b bytes.Buffer
	if err := page.Report(&b, example(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.html", b.Bytes())
	safe(t, b.Bytes())
}

func TestMatrix(t *testing.T) {
	var b bytes.Buffer
	r := example(t)
	m := compared(r, "one", "two")
	m.Targets = append(m.Targets, &matrix.Outcome{Name: "three", Error: injection})
	err := page.Matrix(&b, m, func(target string) *reports.Report {
		if target == "one" {
			return r
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "matrix.html", b.Bytes())
	safe(t, b.Bytes())
}

// The top of a page: the verdict in words and numbers, and the worst of what was
// measured, wherever it stands.
func TestTop(t *testing.T) {
	breach := func(id, verdict, grade string, held float64, exit *reports.Exit) reports.Scenario {
		s := reports.Scenario{ID: id, Verdict: verdict, Exit: exit, Socket: &reports.Socket{Observed: true, Held: &reports.Survival{Until: held}}}
		if grade != "" {
			s.Findings = []reports.Finding{{Rule: "R1", Grade: grade, Outcome: "breached", Got: id}}
		}
		return s
	}
	worst := `<dt>Worst breach</dt><dd>R1 `
	for name, c := range map[string]struct {
		list []reports.Scenario
		want []string
	}{
		"passed": {
			[]reports.Scenario{breach("a", "pass", "", 1, nil), breach("b", "pass", "", 2, nil), breach("c", "info", "", 1, nil)},
			[]string{"<h1>finwait: passed</h1>", "<p>3 scenarios: 1 measured, 2 passed.</p>", "<dt>Worst breach</dt><dd>none</dd>"},
		},
		"interrupted": {
			[]reports.Scenario{breach("a", "pass", "", 1, nil), breach("b", "error", "", 2, nil)},
			[]string{"<h1>finwait: 1 of 2 not carried out</h1>", "<p>2 scenarios: 1 not carried out, 1 passed.</p>"},
		},
		"both": {
			[]reports.Scenario{breach("a", "fail", "MUST", 1, nil), breach("b", "error", "", 2, nil)},
			[]string{"<h1>finwait: 1 of 2 failed, 1 not carried out</h1>"},
		},
		"the graver": {
			[]reports.Scenario{breach("a", "fail", "BUDGET", 35, nil), breach("b", "fail", "MUST", 1, nil), breach("c", "warn", "SHOULD", 40, nil)},
			[]string{"<h1>finwait: 2 of 3 failed</h1>", worst + "MUST: b<"},
		},
		"the longer": {
			[]reports.Scenario{breach("a", "fail", "BUDGET", 15, nil), breach("b", "fail", "BUDGET", 35, nil), breach("c", "fail", "BUDGET", 20, nil)},
			[]string{worst + "BUDGET: b<"},
		},
		"the later exit": {
			[]reports.Scenario{breach("a", "fail", "BUDGET", 15, nil), breach("b", "fail", "BUDGET", 1, &reports.Exit{At: 14}), breach("c", "fail", "BUDGET", 1, &reports.Exit{At: 30})},
			[]string{worst + "BUDGET: c<"},
		},
		"the killed": {
			[]reports.Scenario{breach("a", "fail", "BUDGET", 36, nil), breach("b", "fail", "BUDGET", 1, &reports.Exit{At: 35, Killed: true}), breach("c", "fail", "BUDGET", 1, &reports.Exit{At: 30})},
			[]string{worst + "BUDGET: b<"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := page.Report(&b, &reports.Report{Scenarios: c.list}); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %s in\n%s", want, b.String()[strings.Index(b.String(), "<body"):])
				}
			}
		})
	}
}

func TestInjection(t *testing.T) {
	var b bytes.Buffer
	if err := page.Report(&b, injected(t)); err != nil {
		t.Fatal(err)
	}
	safe(t, b.Bytes())
	if n := strings.Count(b.String(), "&lt;img"); n < 100 {
		t.Errorf("the injection stands in the page %d times only", n)
	}
}

// safe parses a page as a browser does, and looks for what finwait did not put
// there.
func safe(t *testing.T, text []byte) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if slices.Contains([]string{"img", "iframe", "object", "embed", "base", "link", "template"}, n.Data) && n.Type == html.ElementNode {
			t.Errorf("an element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			outside := strings.Contains(a.Val, "//") && a.Val != "https://github.com/finwait/finwait" && a.Key != "xmlns"
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || outside || strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
}
