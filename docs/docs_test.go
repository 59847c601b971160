// Package docs has the documentation, and the test that plays it.
package docs

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/internal/quiet"
)

// block is a fenced part of a page. Its first word is the language; a second one
// names the file that it is to stand in.
type block struct {
	language, file, text string
	line                 int
	exit                 int    // that a command has, by a comment before it
	heading              string // of the second level, above it
}

func blocks(t *testing.T, page string) (out []block) {
	t.Helper()
	f, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var open *block
	exit, n, heading := 0, 0, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		n++
		line := lines.Text()
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case open == nil && isFence:
			open = &block{line: n, exit: exit, heading: heading}
			open.language, open.file, _ = strings.Cut(fence, " ")
			exit = 0
		case open != nil && isFence:
			out, open = append(out, *open), nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "## "):
			heading = strings.TrimPrefix(line, "## ")
		case strings.HasPrefix(line, "<!-- exit "):
			exit, err = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "<!-- exit "), " -->"))
			if err != nil {
				t.Fatalf("%s:%d: %s", page, n, err)
			}
		}
	}
	return out
}

// install is what the reader does to have finwait, from the network; the test
// builds it of this tree instead.
var install = regexp.MustCompile(`^go install (github\.com/finwait/finwait|\.)/cmd/finwait(@latest)?\n$`)

// TestMain lets the parts of the tutorial wait side by side.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	m.Run()
}

// TestTutorial plays the tutorial as it stands. Its parts for Python and Go each begin
// in a new folder, so they are played at the same time as the others.
func TestTutorial(t *testing.T) {
	bin := build(t)
	const page = "tutorial.md"
	parts := map[string][]block{}
	for _, b := range blocks(t, page) {
		part := b.heading
		if part != "Python" && part != "Go" {
			part = "Node.js"
		}
		parts[part] = append(parts[part], b)
	}
	if len(parts) != 3 {
		t.Errorf("%d parts, want 3", len(parts))
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, bin, page, part)
		})
	}
}

// TestContributing plays the commands of CONTRIBUTING.md.
func TestContributing(t *testing.T) {
	const page = "../CONTRIBUTING.md"
	play(t, build(t), page, blocks(t, page))
}

// build builds finwait in a folder, and skips the test for want of the tools of the pages.
func build(t *testing.T) (bin string) {
	t.Helper()
	for _, tool := range []string{"node", "npm", "python3", "go", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s in $PATH", tool)
		}
	}
	bin = t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "finwait"), "../cmd/finwait").CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, out)
	}
	return bin
}

// play writes the files of a part of a page, runs its commands one after another in one
// place, and looks for its output, figures aside, in theirs.
func play(t *testing.T, bin, page string, part []block) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "TMPDIR="+dir)
	var machine quiet.Machine
	var output string
	for _, b := range part {
		switch {
		case b.file != "":
			if err := os.WriteFile(filepath.Join(dir, b.file), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
		case install.MatchString(b.text):
		case b.language == "sh":
			c := exec.Command("sh", "-c", "set -e\n"+b.text+"pwd >&3")
			where, err := os.CreateTemp(bin, "pwd")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			c.Dir, c.Env, c.Stdout, c.Stderr, c.ExtraFiles = dir, env, &out, &out, []*os.File{where}
			code, exited := 0, new(exec.ExitError)
			done := machine.Share(t)
			err = c.Run()
			done()
			if errors.As(err, &exited) {
				code = exited.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			output = out.String()
			if code != b.exit {
				t.Fatalf("%s:%d: exit status %d, want %d\n%s", page, b.line, code, b.exit, output)
			}
			if now, err := os.ReadFile(where.Name()); err == nil && len(now) > 0 {
				dir = strings.TrimSpace(string(now))
			}
			_ = where.Close()
		case b.language == "text":
			for _, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
				if !strings.Contains(rough(output), rough(line)) {
					t.Errorf("%s:%d: %q is not in\n%s", page, b.line, line, output)
				}
			}
		default:
			t.Errorf("%s:%d: what is a block of %q for?", page, b.line, b.language)
		}
	}
}

var figures = regexp.MustCompile(`[0-9]+(\.[0-9]+)? m?s`)

// rough leaves out times and the widths of columns.
func rough(s string) string {
	return strings.Join(strings.Fields(figures.ReplaceAllString(s, "#")), " ")
}

// TestYAML reads what stands in the pages.
func TestYAML(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, page := range append(pages, "../README.md") {
		for _, b := range blocks(t, page) {
			if b.language != "yaml" {
				continue
			}
			n++
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(b.text), &doc); err != nil {
				t.Errorf("%s:%d: %s", page, b.line, err)
			}
		}
	}
	if n < 3 {
		t.Errorf("%d blocks of YAML", n)
	}
}

// TestInputs: what the action and the component ask for is used, and GitLab expands
// no variable in what is for a shell.
func TestInputs(t *testing.T) {
	type inputs map[string]yaml.Node
	read := func(file, use string, named func(doc []byte) inputs) []byte {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list := named(text)
		if len(list) < 5 {
			t.Errorf("%s: %d inputs", file, len(list))
		}
		for name := range list {
			if !strings.Contains(string(text), strings.Replace(use, "NAME", name, 1)) {
				t.Errorf("%s: %s is not used", file, name)
			}
		}
		return text
	}
	parse := func(text []byte, into any) {
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	read("../action.yml", "${{ inputs.NAME }}", func(text []byte) inputs {
		var action struct{ Inputs inputs }
		parse(text, &action)
		return action.Inputs
	})
	component := read("../templates/finwait.yml", "$[[ inputs.NAME ]]", func(text []byte) inputs {
		var spec struct{ Spec struct{ Inputs inputs } }
		head, _, _ := bytes.Cut(text, []byte("\n---\n"))
		parse(head, &spec)
		return spec.Spec.Inputs
	})
	_, job, _ := bytes.Cut(component, []byte("\n---\n"))
	var jobs struct {
		Finwait struct {
			Variables map[string]struct {
				Value  string
				Expand *bool
			}
		}
	}
	parse(job, &jobs)
	for name, v := range jobs.Finwait.Variables {
		if v.Expand == nil || *v.Expand {
			t.Errorf("GitLab expands variables in %s", name)
		}
	}
	if len(jobs.Finwait.Variables) < 5 {
		t.Errorf("%d variables", len(jobs.Finwait.Variables))
	}
}

// TestIncludes: what the pages give to the component are inputs of it.
func TestIncludes(t *testing.T) {
	var component struct {
		Spec struct{ Inputs map[string]yaml.Node }
	}
	text, err := os.ReadFile("../templates/finwait.yml")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := bytes.Cut(text, []byte("\n---\n"))
	if err := yaml.Unmarshal(head, &component); err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"ci.md", "remote.md"} {
		n := 0
		for _, b := range blocks(t, page) {
			if b.file != ".gitlab-ci.yml" {
				continue
			}
			var doc struct {
				Include []struct{ Inputs map[string]string }
			}
			if err := yaml.Unmarshal([]byte(b.text), &doc); err != nil {
				t.Fatalf("%s:%d: %s", page, b.line, err)
			}
			for _, include := range doc.Include {
				for name := range include.Inputs {
					if n++; component.Spec.Inputs[name].Kind == 0 {
						t.Errorf("%s:%d: the component has no input %q", page, b.line, name)
					}
				}
			}
		}
		if n == 0 {
			t.Errorf("%s gives the component nothing", page)
		}
	}
}

// link is one to another page or a part of one.
var link = regexp.MustCompile(`\]\(([^)#: ]*)(#[^) ]*)?\)`)

// TestLinks: what a page leads to is there.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := filepath.Join(filepath.Dir(page), m[1])
			if m[1] == "" {
				to = page
			}
			target, err := os.ReadFile(to)
			if info, is := os.Stat(to); is != nil || err != nil && !info.IsDir() {
				t.Errorf("%s leads to %s, which is not there", page, m[0])
				continue
			}
			if m[2] != "" && strings.HasSuffix(to, ".md") && !strings.Contains(anchors(string(target)), m[2]+"\n") {
				t.Errorf("%s leads to %s, which has no such heading", page, m[0])
			}
		}
	}
}

// anchors are those that GitHub gives to the headings of a page, a line each.
func anchors(page string) string {
	var b strings.Builder
	for _, line := range strings.Split(page, "\n") {
		level := len(line) - len(strings.TrimLeft(line, "#"))
		if title, ok := strings.CutPrefix(line[level:], " "); ok && level > 0 {
			title = strings.ToLower(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, ""))
			b.WriteString("#" + strings.ReplaceAll(title, " ", "-") + "\n")
		}
	}
	return b.String()
}
