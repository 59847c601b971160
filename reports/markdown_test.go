package reports_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/reports"
)

// codeSpan is one of a single backtick: no other is written.
var codeSpan = regexp.MustCompile("`[^`]+`")

// safe tests that what a server sent stands in code spans only, in a table's row of
// as many cells as it should have.
func safe(t *testing.T, markdown string) {
	t.Helper()
	for _, line := range strings.Split(markdown, "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not printable: %q", line)
		}
		if bars := strings.Count(line, "|"); strings.HasPrefix(line, "|") && bars != 5 {
			t.Errorf("%d bars in %q", bars, line)
		}
		if own := codeSpan.ReplaceAllString(line, ""); strings.ContainsAny(own, "<`@") || strings.Contains(own, "evil") || strings.Contains(own, "forged") {
			t.Errorf("not in a code span: %q", own)
		}
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := reports.Markdown(&b, reports.New(example()), reports.CommentMost); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.md", b.Bytes())
	safe(t, b.String())
	b.Reset()
	run := withString(hostile + markup)
	if err := reports.Markdown(&b, reports.New(run), reports.CommentMost); err != nil || !strings.Contains(b.String(), "www.evil") {
		t.Fatal(err)
	}
	safe(t, b.String())
	b.Reset()
	if err := reports.Compare(reports.New(example()), reports.New(run), threshold).Markdown(&b); err != nil ||
		!strings.Contains(b.String(), "www.evil") {
		t.Fatal(err)
	}
	safe(t, b.String())
}

func TestMarkdownText(t *testing.T) {
	for text, want := range map[string]string{
		"a & b": "a &amp; b", "a < b": "a &lt; b", "a > b": "a &gt; b", "a | b": `a \| b`, `a \ b`: `a \\ b`,
		"a ` b": "a \\` b", "*a*": `\*a\*`, "_a_": `\_a\_`,
		"[a](b)": `\[a\](b)`, "~a~": `\~a\~`, "# a": `\# a`, "@a": "&#64;a", "$a$": `\$a\$`, "http://a": "http&#58;//a",
		`\|`: `\\\|`, "a\nb": `a\\x0ab`,
	} {
		if got := reports.MarkdownText(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMarkdownCode(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "`a`", "a ` b `` c": "`a \\x60 b \\x60\\x60 c`", "a | b": "`a \\x7c b`", `\|`: "`\\\\x7c`", "a\r\nb": "`a\\x0d\\x0ab`", "\u202e": "`\\u202e`",
		"<b> @a #1 www.a.b": "`<b> @a #1 www.a.b`",
	} {
		if got := reports.MarkdownCode(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMarkdownIsNotTooLong(t *testing.T) {
	run := example()
	for i := range 20_000 {
		r := *run.Results[0]
		s := *r.Scenario
		s.ID = fmt.Sprintf("%s/%d/x", s.Family(), i)
		r.Scenario, r.Verdict, r.Err = &s, harness.Errored, strings.Repeat("x ", i)[:min(2*i, 400)]+fmt.Sprint(i)
		run.Results = append(run.Results, &r)
	}
	run.Stopped, run.Notes = strings.Repeat("x", 10_000), []string{strings.Repeat("x", 10_000)}
	for most, limit := range map[int]int{reports.CommentMost: 65_536, reports.SummaryMost: 1 << 20} {
		var b bytes.Buffer
		if err := reports.Markdown(&b, reports.New(run), most); err != nil || b.Len() > limit || b.Len() < most-1000 || !leftOut.MatchString(b.String()) {
			t.Errorf("%v, %d bytes", err, b.Len())
		}
	}
	none := reports.New(run)
	none.Scenarios = nil
	var b bytes.Buffer
	d := reports.Compare(none, reports.New(run), threshold)
	if err := d.Markdown(&b); err != nil || b.Len() > 65_536 || !leftOut.MatchString(b.String()) {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
}

var leftOut = regexp.MustCompile(`\n[1-9][0-9]* more rows are left out: the JSON (report|file) has them\.\n$`)

func TestGitHub(t *testing.T) {
	run := example()
	odd := *run.Results[0]
	odd.Scenario, odd.Verdict, odd.Err = &harness.Scenario{ID: "odd/a: b, c\r\n::error::100%0A"}, harness.Errored, "100%0A\n::error::evil"
	run.Results = append(run.Results, &odd)
	var b bytes.Buffer
	if err := reports.GitHub(&b, reports.New(run)); err != nil {
		t.Fatal(err)
	}
	golden(t, "github.txt", b.Bytes())
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "::error title=finwait ") && !strings.HasPrefix(line, "::warning title=finwait ") {
			t.Errorf("no command of a workflow: %q", line)
		}
		if strings.ContainsAny(line, "\r") || strings.Contains(line, "100%0A") {
			t.Errorf("not escaped: %q", line)
		}
	}
	want := `::error title=finwait odd/a%3A b%2C c%0D%0A%3A%3Aerror%3A%3A100%250A::got     not carried out: 100%250A\x0a\x3a:error::evil`
	if got := lines[len(lines)-1]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

var commanded = regexp.MustCompile(`##\S*\[`)

// TestNoCommands: runners of CI take "##[", "##vso[" and "##teamcity[" for commands
// anywhere in a line of a job's log, and "::" where one begins, blanks aside.
func TestNoCommands(t *testing.T) {
	for text, want := range map[string]string{
		"::error::x": `\x3a:error::x`, " ::error::x": ` \x3a:error::x`, "a ::error::x": `a \x3a:error::x`, "\t::x": `\x09\x3a:x`, ":::x": `\x3a::x`,
		"a::b [::1]:80": "a::b [::1]:80", "##[group]x": `##\x5bgroup]x`, "a###[x]": `a###\x5bx]`, "# #[x] [x]": "# #[x] [x]",
		"##vso[task.setvariable variable=a]b": `##vso\x5btask.setvariable variable=a]b`, "a ##teamcity[x]": `a ##teamcity\x5bx]`, "##vso[##vso[": `##vso\x5b##vso\x5b`,
		"## heading [x]": "## heading [x]", "x#vso[1]": "x#vso[1]", "##a\n[x]": `##a\x0a\x5bx]`,
	} {
		if got := reports.OneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got, want := reports.Printable("a\n::x\n\t::x"), "a\n\\x3a:x\n\t\\x3a:x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	run := reports.New(withString(hostile + markup))
	for name, write := range map[string]func(io.Writer) error{
		"JSON":         func(w io.Writer) error { return reports.JSON(w, run) },
		"JUnit":        func(w io.Writer) error { return reports.JUnit(w, run, false) },
		"strict JUnit": func(w io.Writer) error { return reports.JUnit(w, run, true) },
		"Markdown":     func(w io.Writer) error { return reports.Markdown(w, run, reports.SummaryMost) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || commanded.MatchString(line) {
				t.Errorf("%s: %q", name, line)
			}
		}
		if name != "JSON" {
			continue
		}
		again, err := reports.ReadJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		again.Lacks = nil // it is no part of the file
		if !reflect.DeepEqual(again, roundTrip(t, run)) {
			t.Error("JSON is not read as it was")
		}
	}
	for width := 40; width < 120; width++ {
		for _, line := range strings.Split(string(terminal(withString(hostile+markup), reports.TerminalOptions{Width: width, Verbose: true})), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || commanded.MatchString(line) {
				t.Errorf("width %d: %q", width, line)
			}
		}
	}
}

// roundTrip is the report as encoding/json writes and reads it.
func roundTrip(t *testing.T, r *reports.Report) *reports.Report {
	t.Helper()
	b, err := json.Marshal(r)
	var out reports.Report
	if err = errors.Join(err, json.Unmarshal(b, &out)); err != nil {
		t.Fatal(err)
	}
	return &out
}
