package docs

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/finwait/finwait/matrix"
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

// TestMatrixIsOfThisCatalogue: what docs/matrix.md says was measured with the scenarios
// as they are, or the changelog says that it was not.
func TestMatrixIsOfThisCatalogue(t *testing.T) {
	read := func(page string) string {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	now := matrix.Fingerprint(scenarios.All())
	measured := regexp.MustCompile("of the catalogue \\(`(\\w+)`\\)").FindStringSubmatch(read("matrix.md"))
	told := strings.Contains(strings.Join(strings.Fields(read("../CHANGELOG.md")), " "), "docs/matrix.md is of an earlier catalogue")
	switch {
	case measured == nil:
		t.Error("docs/matrix.md does not say of which catalogue it is")
	case measured[1] != now && !told:
		t.Errorf("docs/matrix.md is of the catalogue %s, which is %s now: measure it again (make matrix), or say in "+
			"CHANGELOG.md that docs/matrix.md is of an earlier catalogue", measured[1], now)
	case measured[1] == now && told:
		t.Error("CHANGELOG.md says that docs/matrix.md is of an earlier catalogue, which it is not")
	}
}
