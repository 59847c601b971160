package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/finwait/finwait/harness"
)

// The server's last lines stand with what could not be carried out, and with no
// pass.
func TestJUnitOutput(t *testing.T) {
	run := &harness.Run{Output: strings.Repeat("early\n", outputLines) + "panic: <nil>\x1b\n"}
	for verdict, want := range map[harness.Verdict]bool{harness.Errored: true, harness.Pass: false} {
		run.Results = []*harness.Result{{Scenario: &harness.Scenario{ID: "sanity/echo"}, Verdict: verdict, Err: "the target is gone"}}
		var b bytes.Buffer
		if err := JUnit(&b, New(run), false); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "  panic: &lt;nil&gt;\\x1b\n</system-out>"); got != want ||
			strings.Count(b.String(), "early") >= outputLines {
			t.Errorf("%s: %s", verdict, b.String())
		}
	}
}
