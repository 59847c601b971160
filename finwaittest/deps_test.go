package finwaittest_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies checks that this package links neither Ginkgo nor the libraries of the
// command line, and that the command links no Ginkgo.
func TestDependencies(t *testing.T) {
	for pkg, without := range map[string][]string{
		".":              {"github.com/onsi/", "github.com/spf13/", "github.com/finwait/finwait/reference", "net/http/httptest"},
		"../cmd/finwait": {"github.com/onsi/", "testing"},
	} {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", pkg, err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 50 {
			t.Fatalf("%s has %d dependencies: this is not the list of them", pkg, len(deps))
		}
		for _, dep := range deps {
			for _, unwanted := range without {
				if dep == unwanted || strings.HasSuffix(unwanted, "/") && strings.HasPrefix(dep, unwanted) {
					t.Errorf("%s links %s", pkg, dep)
				}
			}
		}
	}
}
