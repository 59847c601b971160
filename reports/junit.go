package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// JUnit writes a report as a JUnit file: a suite per family, a test case per
// scenario in the order of the catalogue, true times, UTC. A warning and a
// measurement pass; their text stands in system-out. Strict leaves out the
// properties of test cases, which the schema of Jenkins' xUnit plugin forbids;
// the facts then stand in system-out only. What XML cannot hold is escaped.
func JUnit(w io.Writer, r *Report, strict bool) error {
	doc := xmlSuites{Name: "finwait", Time: seconds(r.Took)}
	var weights *xmlProperties // nil: none was set
	if w := r.Profile.Rules; len(w) > 0 {
		weights = &xmlProperties{[]xmlProperty{{"rules", xmlText(OneLine(w.String()))}}}
	}
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		name := "finwait." + xmlText(OneLine(s.Family))
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != name {
			doc.Suites = append(doc.Suites, xmlSuite{Name: name, start: s.Started, Properties: weights})
		}
		suite := &doc.Suites[len(doc.Suites)-1]
		suite.add(s, testCase(s, lastLines(r, s), strict))
		doc.Tests++
	}
	for i := range doc.Suites {
		s := &doc.Suites[i]
		s.Time = seconds(s.end.Sub(s.start).Seconds())
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

func (s *xmlSuite) add(one *Scenario, c xmlCase) {
	s.Tests++
	switch one.Verdict {
	case Fail:
		s.Failures++
	case Errored:
		s.Errors++
	case Skip, Known:
		s.Skipped++
	}
	if one.Started.Before(s.start) {
		s.start = one.Started
	}
	if end := one.Started.Add(duration(one.Took)); end.After(s.end) {
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
func lastLines(r *Report, s *Scenario) string {
	output := ""
	switch {
	case s.Verdict != Fail && s.Verdict != Errored:
	case s.Exit != nil:
		output = s.Exit.Output
	case !s.Stops && !s.Alone:
		output = r.Output
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-outputLines):], "\n")
}

func testCase(s *Scenario, output string, strict bool) xmlCase {
	id := xmlText(OneLine(s.ID))
	c := xmlCase{Name: id, Class: "finwait." + xmlText(OneLine(s.Family)), Time: seconds(s.Took)}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n", id, s.Title)
	properties := &xmlProperties{}
	for _, f := range facts(s) {
		name, value := xmlText(OneLine(f[0])), xmlText(OneLine(Clip(f[1], 1000)))
		properties.List = append(properties.List, xmlProperty{name, value})
		fmt.Fprintf(&out, "%s: %s\n", name, value)
	}
	if !strict {
		c.Properties = properties
	}
	body := innerText(bodyText(s))
	switch s.Verdict {
	case Skip:
		c.Skipped = &xmlOutcome{Message: xmlText("needs " + s.Missed())}
	case Known:
		c.Skipped = &xmlOutcome{Message: xmlText(OneLine("known failure: " + Clip(s.Known, 300)))}
	case Errored:
		c.Error = &xmlOutcome{Type: "finwait", Message: xmlText(OneLine(Clip(s.Error, 300))), Body: body}
	case Fail:
		c.Failure = &xmlOutcome{Body: body}
		if f := s.Breach(); f != nil {
			message := fmt.Sprintf("want %s; got %s (%s)", f.Want, f.Got, f.Clause)
			if why := s.NotMeasured(); why != "" {
				message += "; " + why
			}
			c.Failure.Type, c.Failure.Message = xmlText(OneLine(f.Grade)), xmlText(OneLine(Clip(message, 500)))
		}
	case Warn:
		out.WriteString("warning:" + bodyText(s))
	}
	if output != "" {
		fmt.Fprintf(&out, "the server's last output:\n%s\n", indent(Printable(output)))
	}
	c.Out.Text = innerText(out.String())
	return c
}

// bodyText is everything that a reader of a failure needs.
func bodyText(s *Scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\nscript:\n%s\n", Explain(s), indent(strings.Join(s.Script, "\n")))
	if s.Wire != nil {
		fmt.Fprintf(&b, "\ntrace, since the trigger:\n%s\n", indent(strings.Join(traceLines(s), "\n")))
	}
	if lines := witnessLines(s.Socket); lines != nil {
		fmt.Fprintf(&b, "\nwho told how long the socket was held:\n%s\n", indent(strings.Join(lines, "\n")))
	}
	return b.String()
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

func seconds(s float64) string { return fmt.Sprintf("%.3f", max(0, s)) }

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
