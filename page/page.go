// Package page writes reports as HTML. Each report is one self-contained file, which needs no
// network. [reports.OneLine] makes the unprintable characters in a server's text visible, and
// html/template escapes the text. The page's Content-Security-Policy allows only its own
// script to run.
package page

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

//go:embed frame.html scenario.html report.html matrix.html page.css report.js matrix.js
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"line": func(s string) string { return reports.OneLine(reports.Clip(s, 1000)) },
	"text": func(s string) string { return reports.Printable(reports.Clip(s, 20_000)) },
	"parts": func(id string) template.HTML {
		return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(id), "/", "/<wbr>"))
	},
	"time": func(s float64) string { return figures.Format(seconds(s)) },
	"word": verdictWord,
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
}).ParseFS(files, "*.html"))

// document holds the values that frame.html needs around the body of a page.
type document struct {
	Title  string
	Policy string
	Style  template.CSS
	Script template.JS
	Name   string // name of the template of the body
	Page   any
}

// write writes a page. The script and the style contain no text from a server.
func write(w io.Writer, title, name string, page any) error {
	style, err := files.ReadFile("page.css")
	if err != nil {
		return err
	}
	script, err := files.ReadFile(name + ".js")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(script)
	policy := "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name+".html", page); err != nil {
		return err
	}
	return templates.ExecuteTemplate(w, "frame.html", document{
		reports.OneLine(title), policy, template.CSS(style), template.JS(script), name, template.HTML(body.String()),
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// verdictWord returns the word that the page shows for a verdict.
func verdictWord(verdict string) string {
	if verdict == reports.Info {
		return "measured"
	}
	return verdict
}

// verdictOrder is the order of the verdicts on a page. The verdicts that need action come first.
var verdictOrder = []struct {
	verdict, title, counted string // "fail", "Failed (3)", "3 failed"
}{
	{reports.Fail, "Failed", "failed"}, {reports.Errored, "Not carried out", "not carried out"}, {reports.Warn, "Warned", "warned"},
	{reports.Known, "Known failures", "known to fail"}, {reports.Info, "Measured, not judged", "measured"},
	{reports.Pass, "Passed", "passed"}, {reports.Skip, "Skipped", "skipped"},
}

// section holds the scenarios with one verdict.
type section struct {
	Verdict, Title string
	Scenarios      []*scenario
}

type report struct {
	*reports.Report
	Head     string // the verdict of the run
	Counts   string // how many scenarios have each verdict
	Figures  []figure
	Families []string
	Sections []section
	Disagree []figure // scenarios whose witnesses disagree
}

// figure is one of the key figures at the top of the page.
type figure struct {
	Name, Value string
	ID          string // id of the scenario in which it was measured
}

// Link returns the link to the figure's scenario.
func (f figure) Link() template.URL { return link(f.ID) }

// link returns the link to an element of the page. It keeps the slashes of the name, which a
// fragment may contain (RFC 3986, 3.5).
func link(name string) template.URL {
	return template.URL("#" + strings.ReplaceAll(url.PathEscape(name), "%2F", "/"))
}

// Report writes the page of a run.
func Report(w io.Writer, r *reports.Report) error {
	p := report{Report: r, Figures: keyFigures(r)}
	var counts []string
	count := map[string]int{}
	for _, o := range verdictOrder {
		s := section{Verdict: o.verdict, Title: o.title}
		for i := range r.Scenarios {
			if scenario := &r.Scenarios[i]; scenario.Verdict == s.Verdict {
				s.Scenarios = append(s.Scenarios, newScenario(scenario, r.Has))
			}
		}
		if s.Scenarios != nil {
			p.Sections = append(p.Sections, s)
			counts = append(counts, fmt.Sprintf("%d %s", len(s.Scenarios), o.counted))
		}
		count[o.verdict] = len(s.Scenarios)
	}
	p.Head, p.Counts = headline(count[reports.Fail], count[reports.Errored], len(r.Scenarios)), strings.Join(counts, ", ")
	for _, s := range r.Scenarios {
		for _, d := range s.Socket.Disagreements() {
			p.Disagree = append(p.Disagree, figure{Value: d, ID: s.ID})
		}
		if !slices.Contains(p.Families, s.Family) {
			p.Families = append(p.Families, s.Family)
		}
	}
	return write(w, "finwait: "+p.Head+": "+r.Target, "report", p)
}

// headline returns the verdict of a run of n scenarios.
func headline(failed, errored, n int) string {
	switch {
	case failed > 0 && errored > 0:
		return fmt.Sprintf("%d of %d failed, %d not carried out", failed, n, errored)
	case failed > 0:
		return fmt.Sprintf("%d of %d failed", failed, n)
	case errored > 0:
		return fmt.Sprintf("%d of %d not carried out", errored, n)
	}
	return "passed"
}

// keyFigures returns the longest time that a socket was held, the worst breach, and the longest
// time to exit, if one was measured.
func keyFigures(r *reports.Report) []figure {
	var longest, worst, exit *reports.Scenario
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		if h := s.Longest(); h != nil && (longest == nil || h.Until > longest.Longest().Until) {
			longest = s
		}
		if s.Exit != nil && (exit == nil || s.Exit.At > exit.Exit.At) {
			exit = s
		}
		if b := s.Breach(); b != nil && (worst == nil || compareBreaches(s, worst) > 0) {
			worst = s
		}
	}
	out := []figure{{Name: "Longest held socket", Value: "none was observed"}, {Name: "Worst breach", Value: "none"}}
	if longest != nil {
		out[0].Value, out[0].ID = longest.Longest().String(), longest.ID
	}
	if worst != nil {
		b := worst.Breach()
		out[1].Value, out[1].ID = b.Rule+" "+b.Grading()+": "+b.Got, worst.ID
	}
	if exit != nil {
		out = append(out, figure{"Longest time to exit", exit.Exit.String(), exit.ID})
	}
	return out
}

// compareBreaches compares scenarios by how bad their breaches are. A failure is worse than a
// warning. A MUST is worse than a BUDGET, and a BUDGET is worse than a SHOULD. Within a grade, a
// process that had to be killed is worst, and then the longest exit or lifetime of a socket.
func compareBreaches(a, b *reports.Scenario) int {
	grades := []string{string(rules.Should), string(rules.Budget), string(rules.Must)}
	rank := func(s *reports.Scenario) (fails, grade, killed int, took float64) {
		if h := s.Longest(); h != nil {
			took = h.Until
		}
		if s.Exit != nil {
			took = max(took, s.Exit.At)
			if s.Exit.Killed {
				killed = 1
			}
		}
		if s.Breach().Weighs() == rules.Fails {
			fails = 1
		}
		return fails, slices.Index(grades, s.Breach().Grade), killed, took
	}
	failsA, gradeA, killedA, tookA := rank(a)
	failsB, gradeB, killedB, tookB := rank(b)
	return cmp.Or(failsA-failsB, gradeA-gradeB, killedA-killedB, cmp.Compare(tookA, tookB))
}

// scenario holds what the page shows of a scenario.
type scenario struct {
	*reports.Scenario
	Link     template.URL // link to the scenario on the page
	Short    string       // the summary in the list of scenarios
	Grades   string
	Breached []breach
	Others   []reports.Finding
	Kinds    []*kind // the kinds of peers in its crowd
	Lives    []lifetime
	Axis     []tick
	Rows     []row
	Curves   []template.HTML
	Told     []reports.Witness // who told how long the socket was held; nil: the kernel alone
}

// Interval reports whether a bar of the scenario ends at an unknown moment.
func (s *scenario) Interval() bool {
	return slices.ContainsFunc(s.Lives, func(l lifetime) bool { return l.Interval })
}

// Disagreements returns what witnesses say whose figures exclude each other.
func (s *scenario) Disagreements() []string { return s.Socket.Disagreements() }

// newScenario prepares a scenario for the page. has names the capabilities of the target.
func newScenario(s *reports.Scenario, has []string) *scenario {
	out := &scenario{Scenario: s, Link: link(s.ID), Kinds: kinds(s), Rows: rows(s)}
	out.Lives, out.Axis = lifetimes(s, slices.Contains(has, string(evidence.CanEvents)))
	out.Told = s.Socket.Told()
	var judged, breached []string
	for _, f := range s.Findings {
		switch rules.Outcome(f.Outcome) {
		case rules.Breached:
			out.Breached = append(out.Breached, breach{f, ""})
			breached = append(breached, f.Grade)
		case rules.Kept, rules.Measured:
			out.Others = append(out.Others, f)
			judged = append(judged, f.Grade)
		case rules.NotJudged:
			out.Others = append(out.Others, f)
		}
	}
	if breached != nil {
		judged = breached
	}
	slices.Sort(judged)
	out.Grades = strings.Join(slices.Compact(judged), " ")
	switch b := s.Breach(); {
	case s.Error != "":
		out.Short = s.Error
	case b != nil:
		out.Short = b.Got
	case out.Breached != nil: // every breach is a known failure
		out.Short = out.Breached[0].Got
	case s.Missing != nil:
		out.Short = "needs " + s.Missed()
	default:
		out.Short = s.Title
	}
	if s.Curves != nil {
		out.Curves = append(out.Curves, curve(s.ID, "share of the server's sockets alive, since the stop", s.Curves))
	}
	if s.Repeated != nil && s.Repeated.Curve != nil {
		out.Curves = append(out.Curves, curve(s.ID, "share of the server's sockets alive, since the trigger",
			[]reports.Curve{*s.Repeated.Curve}))
	}
	return out
}

// breach is a rule that was broken.
type breach struct {
	reports.Finding
	Because string // the reason, if it is known
}

// curve draws survival curves. [reports.SVG] escapes the texts.
func curve(title, note string, curves []reports.Curve) template.HTML {
	var b strings.Builder
	_ = reports.SVG(&b, title, note, curves) // writing to a builder cannot fail
	return template.HTML(b.String())
}
