package reports_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/reports"
)

// TestEarlierReports: what an earlier finwait wrote is read, and filled in where the
// rest of it tells what is not there.
func TestEarlierReports(t *testing.T) {
	for name, c := range map[string]struct {
		lacks int
		want  map[string][]string
	}{
		// The first that were written: no weights, no crowds, no curves.
		"old-first.json": {1, map[string][]string{
			"text":     {"fail    peer-close/reason", "how long hanging sockets lived"},
			"JUnit":    {`<testcase name="peer-close/reason"`, `<failure type="MUST"`},
			"Markdown": {"### Failed", "### Warned"},
			"page":     {`id="peer-close/reason"`},
		}},
		"old-run.json": {0, map[string][]string{
			"text": {"known   was excused until 2020-12-31 (it was in the tracker), no longer", "needs wss",
				"known   excused: it is in the tracker (until 2099-12-31)"},
			"JUnit":    {`<skipped message="needs wss"`, "the server's last output"},
			"Markdown": {"R8 was excused until 2020-12-31 (it was in the tracker), no longer"},
			"page":     {"<dt>excused<dd>it is in the tracker (until 2099-12-31)"},
		}},
		"old-shutdown.json": {1, map[string][]string{
			"text":     {"how long the crowds' sockets lived when the server stopped", "shutdown/ignoring: exit after", "connecting"},
			"JUnit":    {`<property name="server" value="exit after`},
			"Markdown": {"### How long the crowds' sockets lived"},
			"page":     {"<figure>"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			fits(t, "report", text)
			r, err := reports.ReadJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Lacks) != c.lacks {
				t.Errorf("it lacks %q", r.Lacks)
			}
			all := everything(t, r)
			for report, list := range c.want {
				for _, want := range list {
					if !strings.Contains(all[report], want) {
						t.Errorf("%s: no %q in\n%s", report, want, all[report])
					}
				}
			}
		})
	}
}

// TestEarlierCrowd is the same for a crowd.
func TestEarlierCrowd(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "old-crowd.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, c, err := reports.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	reports.CrowdText(&text, c, reports.TerminalOptions{Width: 100})
	for _, want := range []string{"opened 12 of 12 in ", "  ignores ", "exit after "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestStrictWithoutWeights: the first reports say that a run is strict, and not what
// each rule weighs.
func TestStrictWithoutWeights(t *testing.T) {
	r, err := reports.ReadJSON(strings.NewReader(`{"format": "finwait-report", "version": 1, "profile": {"strict": true},
		"scenarios": [{"id": "a/b", "verdict": "fail", "findings": [{"rule": "R7", "grade": "SHOULD", "outcome": "breached", "got": "two"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Scenarios[0].Breach().Grading(); got != "SHOULD as fail" {
		t.Error(got)
	}
}

// TestTraceWithoutKinds: the page marks what a peer could not see, also where the trace
// says that in words alone.
func TestTraceWithoutKinds(t *testing.T) {
	r, err := reports.ReadJSON(strings.NewReader(`{"format": "finwait-report", "version": 1, "scenarios": [{"id": "a/b", "verdict": "pass", "trace": [
		{"dir": "local", "what": "gone dark"}, {"dir": "sent", "what": "text"}, {"dir": "local", "what": "back from the dark"}, {"dir": "received", "what": "gone dark"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(everything(t, r)["page"], `<tr class="dark">`); n != 1 {
		t.Errorf("%d rows are dark", n)
	}
}

// TestForeignReports: what is not a report, or is another one, is one line that says
// which format and version it has, and which can be read.
func TestForeignReports(t *testing.T) {
	for text, want := range map[string]string{
		"":      "it is empty",
		"x":     "it is not JSON: invalid character 'x' looking for beginning of value",
		`{"a":`: "it is not JSON: unexpected EOF",
		"[]":    "it is a JSON array, and no object",
		`"a"`:   "it is a JSON string, and no object",
		"null":  `format "", version 0 is not "finwait-report" or "finwait-crowd", version 1: finwait run --json writes that`,
		"{} {}": "more follows behind the report: give each report a file of its own",
		"{} x":  "more follows behind the report: give each report a file of its own",
		"{}":    `format "", version 0 is not "finwait-report" or "finwait-crowd", version 1: finwait run --json writes that`,
		`{"format":"finwait-report","version":2}`:      `format "finwait-report", version 2 is not "finwait-report" or "finwait-crowd", version 1: a later finwait wrote it, which can read it`,
		`{"format":"finwait-report"}`:                  `format "finwait-report", version 0 is not "finwait-report" or "finwait-crowd", version 1: it was written by finwait run`,
		`{"format":"finwait-matrix","version":1}`:      `format "finwait-matrix", version 1 is not "finwait-report" or "finwait-crowd", version 1: it was written by finwait matrix`,
		`{"format":"finwait-diff","version":1}`:        `format "finwait-diff", version 1 is not "finwait-report" or "finwait-crowd", version 1: it was written by finwait diff`,
		"{\"format\":\"\\u001b[2J\\n\",\"version\":1}": `format "\x1b[2J\n", version 1 is not "finwait-report" or "finwait-crowd", version 1`,
		`{"format":7}`: "its format is a JSON number, which finwait does not write there",
		`{"format":"finwait-report","version":"1"}`:                                                     "its version is a JSON string, which finwait does not write there",
		`{"format":"finwait-report","version":1,"scenarios":{}}`:                                        "its scenarios is a JSON object, which finwait does not write there",
		`{"format":"finwait-report","version":1,"started":"today"}`:                                     `"today" is no time such as 2027-01-31T12:00:00Z`,
		`{"format":"finwait-report","version":1,"took":1e999}`:                                          "its took is a JSON number 1e999, which finwait does not write there",
		`{"format":"finwait-report","version":1,"took":1e300}`:                                          "1e+300 is no number that finwait measures",
		`{"format":"finwait-report","version":1,"scenarios":[{"id":"a/b","verdict":"odd\u001b"}]}`:      `scenario "a/b" has the verdict "odd\x1b", which this finwait does not know`,
		`{"format":"finwait-report","version":1,"scenarios":[null]}`:                                    `scenario "" has the verdict "", which this finwait does not know`,
		`{"format":"finwait-crowd","version":1,"kinds":[{"curve":{"last":-1e10}}]}`:                     "-1e+10 is no number that finwait measures",
		`{"format":"finwait-report","version":1,"scenarios":[{"socket":{"held":{"until":"forever"}}}]}`: "its scenarios.socket.held.until is a JSON string, which finwait does not write there",
	} {
		_, _, err := reports.Read(strings.NewReader(text))
		if err == nil || err.Error() != "read a finwait report: "+want || reports.OneLine(err.Error()) != err.Error() {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

// hostileReports are JSON that is a report in form alone.
var hostileReports = []string{
	`{"format":"finwait-report","version":1}`,
	`{"format":"finwait-report","version":1,"scenarios":null,"profile":null,"totals":null,"has":null,"notes":[null]}`,
	`{"format":"finwait-report","version":1,"scenarios":[{"verdict":"fail"},{"verdict":"error"},{"verdict":"warn"},{"verdict":"known"},{"verdict":"skip"},{"verdict":"info"},{"verdict":"pass"}]}`,
	`{"format":"finwait-report","version":1,"scenarios":[{"id":"a/b","verdict":"fail","findings":[null],"wire":{},"events":[null],"socket":{"observed":true},"alive":{},"crowd":[null],"exit":{},"curves":[null],"repeated":{"curve":{}},"trace":[null]}]}`,
	`{"format":"finwait-report","version":1,"scenarios":[{"id":"a/b","verdict":"fail","stops":true,"wire":{"closes":[{"body":"xyz"}]},"curves":[{"kind":"a","n":-1,"last":1e9,"steps":[{"at":-1e9,"survival":1e9},{"at":1e9,"survival":-5}]}],
		"socket":{"observed":true,"held":{"until":1e9,"bound":-1e9},"orphan":{"until":-1e9}},"repeated":{"verdicts":["odd"],"curve":{"last":-1,"steps":[{"survival":7}]}},"exit":{"at":-1e9,"gone":1e9}}]}`,
	`{"format":"finwait-report","version":1,"target":"]]><script>\u001b[2J\u0000\u202e","stopped":"]]>\u0007","notes":["::error::x\r\n##[y]"],"output":"\u001b]]><b>","scenarios":[{
		"id":"a\u001b[2J/]]><script>alert(1)</script>\r\n::error::x/|b","family":"\u0000]]>","title":"\u001b<b>]]>","verdict":"fail","error":"\u001b]]>","missing":["\u001b"],"known":"\u001b; R1 was excused until 2020-01-01 (\u001b), no longer",
		"script":["\u001b]]><b>"],"findings":[{"rule":"R1\u001b<b>|","grade":"\u001b","weight":"\u001b","outcome":"breached","want":"\u001b]]>","got":"|\u001b","clause":"\u001b","text":"\u001b"}],
		"wire":{"ending":"\u001b]]>","closes":[{"body":"03e81b5d5d3e"}]},"events":[{"error":"\u001b]]>"}],"socket":{"why":"\u001b]]>"},"crowd":[{"kind":"\u001b<b>","ending":"\u001b"}],
		"stops":true,"exit":{"words":"\u001b]]>","output":"\u001b]]>"},"curves":[{"kind":"\u001b<b>]]>|"}],"trace":[{"dir":"\u001b","what":"\u001b]]>"}]}]}`,
	`{"format":"finwait-crowd","version":1}`,
	`{"format":"finwait-crowd","version":1,"target":"]]>\u001b<b>","then":"\u001b","failures":{"\u001b]]>":-1},"kinds":[null,{"kind":"\u001b<b>]]>","told":{"\u001b":2},"endings":null,"curve":{"last":1e9,"steps":[{"survival":9}]}}],"exit":{"words":"\u001b"},"notes":["\u001b"],"stopped":"\u001b"}`,
}

func TestHostileReports(t *testing.T) {
	for _, text := range hostileReports {
		run, crowd := harmless(t, text)
		switch {
		case run == nil && crowd == nil:
			t.Errorf("not read: %s", text)
		case run != nil:
			if own := codeSpan.ReplaceAllString(everything(t, run)["Markdown"], ""); strings.Contains(own, "<") {
				t.Errorf("HTML in Markdown: %s", own)
			}
		}
	}
}

func FuzzReport(f *testing.F) {
	for _, text := range hostileReports {
		f.Add(text)
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "old-*.json"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) { harmless(t, text) })
}

// harmless writes all reports of what was read, and looks for what breaks them. Both
// are nil where the text cannot be read.
func harmless(t *testing.T, text string) (*reports.Report, *reports.Crowd) {
	t.Helper()
	r, c, err := reports.Read(strings.NewReader(text))
	if err != nil {
		if line := err.Error(); reports.OneLine(line) != line {
			t.Errorf("an error that is not one line: %q", line)
		}
		return nil, nil
	}
	all := map[string]string{}
	if c != nil {
		var shown, drawing, json bytes.Buffer
		reports.CrowdText(&shown, c, reports.TerminalOptions{Width: 60})
		for _, err := range []error{reports.CrowdSVG(&drawing, c), reports.CrowdJSON(&json, c)} {
			if err != nil {
				t.Error(err)
			}
		}
		wellFormed(t, drawing.Bytes())
		all["text"] = shown.String()
	} else {
		all = everything(t, r)
		wellFormed(t, []byte(all["JUnit"]))
		wellFormed(t, []byte(all["strict JUnit"]))
		if strings.Count(all["page"], "<script") != 1 {
			t.Errorf("a script in the page that is not its own:\n%s", all["page"])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains([]string{"text", "annotations", "Markdown"}, name) &&
			reports.Printable(strings.ReplaceAll(all[name], "::", "")) != strings.ReplaceAll(all[name], "::", "") {
			t.Errorf("%s: not printable: %q", name, all[name])
		}
	}
	return r, c
}
