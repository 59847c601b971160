package scenarios_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/scenarios"
)

// TestIDsCanBeFound: grep finds the id of each scenario in the sources of this package.
func TestIDsCanBeFound(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			source.Write(text)
		}
	}
	for _, s := range scenarios.All() {
		if n := strings.Count(source.String(), strconv.Quote(s.ID)); n != 1 {
			t.Errorf("%s stands %d times in the sources", s.ID, n)
		}
	}
}

// TestScriptsPrintDifferently: scripts of the catalogue that differ, those of crowds
// included, have different texts.
func TestScriptsPrintDifferently(t *testing.T) {
	type script struct {
		of    string
		steps peers.Script
	}
	printed := map[string]script{}
	for _, s := range scenarios.All() {
		scripts := []script{{s.ID, s.Script}}
		for _, c := range s.Crowd {
			scripts = append(scripts, script{s.ID + ", crowd " + c.Kind, c.Script})
		}
		for _, one := range scripts {
			text := one.steps.String()
			if before, ok := printed[text]; ok && !reflect.DeepEqual(before.steps, one.steps) {
				t.Errorf("%s and %s play different scripts with one text:\n%s", before.of, one.of, text)
			}
			printed[text] = one
		}
	}
}
