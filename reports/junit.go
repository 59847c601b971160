package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/finwait/finwait/harness"
)

// JUnit writes the run as a JUnit file: a suite per family, a test case per
// scenario in the order of the catalogue, true times, UTC. A warning and a
// measurement pass; their text stands in system-out. Strict leaves out the
// properties of test cases, which the schema of Jenkins' xUnit plugin forbids;
// the facts then stand in system-out only. What XML cannot hold is escaped.
func JUnit(w io.Writer, run *harness.Run, strict bool) error {
	doc := xmlSuites{Name: "finwait", Time: seconds(run.Took)}
	var weights *xmlProperties // nil: none was set
	if w := run.Profile.Weights; len(w) > 0 {
		weights = &xmlProperties{[]xmlProperty{{"rules", w.String()}}}
	}
	for _, r := range run.Results {
		family := r.Scenario.Family()
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != "finwait."+family {
			doc.Suites = append(doc.Suites, xmlSuite{Name: "finwait." + family, start: r.Started, Properties: weights})
		}
		suite := &doc.Suites[len(doc.Suites)-1]
		suite.add(r, testCase(r, lastLines(run, r), strict))
		doc.Tests++
	}
	for i := range doc.Suites {
		s := &doc.Suites[i]
		s.Time = seconds(s.end.Sub(s.start))
		s.Timestamp = s.start.UTC().Format("2006-01-02T15:04:05")
		doc.Failures += s.Failures
		doc.Errors += s.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type xmlSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Time     string     `xml:"time,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Suites   []xmlSuite `xml:"testsuite"`
}

type xmlSuite struct {
	Name      string `xml:"name,attr"`
	Tests     int    `xml:"tests,attr"`
	Failures  int    `xml:"failures,attr"`
	Errors    int    `xml:"errors,attr"`
	Skipped   int    `xml:"skipped,attr"`
	Time      string `xml:"time,attr"`
	Timestamp string `xml:"timestamp,attr"`

	Properties *xmlProperties `xml:"properties"`
	Cases      []xmlCase      `xml:"testcase"`

	start, end time.Time
}

func (s *xmlSuite) add(r *harness.Result, c xmlCase) {
	s.Tests++
	switch r.Verdict {
	case harness.Fail:
		s.Failures++
	case harness.Errored:
		s.Errors++
	case harness.Skip, harness.Known:
		s.Skipped++
	}
	if r.Started.Before(s.start) {
		s.start = r.Started
	}
	if end := r.Started.Add(r.Took); end.After(s.end) {
		s.end = end
	}
	s.Cases = append(s.Cases, c)
}

type xmlCase struct {
	Name       string         `xml:"name,attr"`
	Class      string         `xml:"classname,attr"`
	Time       string         `xml:"time,attr"`
	Properties *xmlProperties `xml:"properties"`
	Skipped    *xmlOutcome    `xml:"skipped"`
	Error      *xmlOutcome    `xml:"error"`
	Failure    *xmlOutcome    `xml:"failure"`
	Out        xmlBody        `xml:"system-out"`
}

type xmlProperties struct {
	List []xmlProperty `xml:"property"`
}

type xmlProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type xmlOutcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Body    string `xml:",innerxml"`
}

// xmlBody is text whose line breaks stay readable in the file; encoding/xml
// would write them as references.
type xmlBody struct {
	Text string `xml:",innerxml"`
}

// outputLines is how much of the server's output stands with a failure.
const outputLines = 20

// lastLines are the last that the server wrote, of a scenario that failed or could
// not be carried out; empty where it had a server of its own that was not followed
// to its end.
func lastLines(run *harness.Run, r *harness.Result) string {
	output := ""
	switch {
	case r.Verdict != harness.Fail && r.Verdict != harness.Errored:
	case r.Record != nil && r.Record.Exit != nil:
		output = r.Record.Exit.Output
	case !r.Scenario.Stops && !r.Scenario.Alone:
		output = run.Output
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-outputLines):], "\n")
}

func testCase(r *harness.Result, output string, strict bool) xmlCase {
	c := xmlCase{Name: r.Scenario.ID, Class: "finwait." + r.Scenario.Family(), Time: seconds(r.Took)}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n", r.Scenario.ID, r.Scenario.Title)
	properties := &xmlProperties{}
	for _, f := range facts(r) {
		name, value := OneLine(f[0]), xmlText(OneLine(Clip(f[1], 1000)))
		properties.List = append(properties.List, xmlProperty{name, value})
		fmt.Fprintf(&out, "%s: %s\n", name, value)
	}
	if !strict {
		c.Properties = properties
	}
	body := innerText(bodyText(r))
	switch r.Verdict {
	case harness.Skip:
		c.Skipped = &xmlOutcome{Message: xmlText("needs " + missing(r))}
	case harness.Known:
		c.Skipped = &xmlOutcome{Message: xmlText(OneLine("known failure: " + Clip(excuses(r), 300)))}
	case harness.Errored:
		c.Error = &xmlOutcome{Type: "finwait", Message: xmlText(OneLine(Clip(r.Err, 300))), Body: body}
	case harness.Fail:
		f := breach(r)
		message := fmt.Sprintf("want %s; got %s (%s)", f.Want, f.Got, f.Rule.Clause)
		c.Failure = &xmlOutcome{Type: string(f.Rule.Grade), Message: xmlText(OneLine(Clip(message, 500))), Body: body}
	case harness.Warn:
		out.WriteString("warning:" + bodyText(r))
	}
	if output != "" {
		fmt.Fprintf(&out, "the server's last output:\n%s\n", indent(Printable(output)))
	}
	c.Out.Text = innerText(out.String())
	return c
}

// bodyText is everything that a reader of a failure needs.
func bodyText(r *harness.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\nscript:\n%s\n", Explain(r), indent(r.Scenario.Script.String()))
	if r.Record != nil {
		fmt.Fprintf(&b, "\ntrace, since the trigger:\n%s\n", indent(strings.Join(traceLines(r.Record), "\n")))
	}
	return b.String()
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// missing names what a skipped scenario needs, and why it is not there where that
// is known.
func missing(r *harness.Result) string {
	out := make([]string, len(r.Missing))
	for i, c := range r.Missing {
		out[i] = string(c)
	}
	if r.Err != "" {
		return strings.Join(out, ", ") + " (" + OneLine(Clip(r.Err, 300)) + ")"
	}
	return strings.Join(out, ", ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(0, d.Seconds())) }

// innerText escapes text that stands between tags.
func innerText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(xmlText(s))
}

// xmlText shows what an XML 1.0 document cannot hold (Char in the XML
// recommendation, 2.2) as an escape.
func xmlText(s string) string {
	return escape(s, func(r rune) bool {
		return r == '\t' || r == '\n' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000
	})
}
