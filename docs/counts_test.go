package docs

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/finwait/finwait/scenarios"
)

// TestCounts: where a page says how many scenarios there are, it is as many as the
// catalogue has.
func TestCounts(t *testing.T) {
	want := strconv.Itoa(len(scenarios.All()))
	counts := regexp.MustCompile(`(\d+)\s+scenarios|scenarios of (\d+)`)
	for page, said := range map[string]int{"../README.md": 1, "ci.md": 1, "tutorial.md": 1, "scenarios.md": 1} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range counts.FindAllStringSubmatch(string(text), -1) {
			if n := m[1] + m[2]; len(n) >= 3 {
				if found++; n != want {
					t.Errorf("%s: %q, but the catalogue has %s", page, m[0], want)
				}
			}
		}
		if found < said {
			t.Errorf("%s says %d times how many scenarios there are, expected %d: this test looks in the wrong place", page, found, said)
		}
	}
}
