package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// carriers stand in for the programs that reach a container, a pod or another host: what they run
// there, they run here.
const carriers = `#!/bin/sh
there() { shift; exec finwait "$@"; } # finwait, wherever it stands there
case "${0##*/} $1" in
"ssh "*) shift; there "$@" ;;
"sudo "*) exec "$@" ;;
"docker inspect") case $3 in *Pid*) cat "$STAND_IN/pid" ;; *) echo 127.0.0.1 ;; esac ;;
"docker exec") [ "$2 $3" = "-i shop" ] && shift 3 && there "$@" ;;
"docker cp") [ -x "$2" ] ;;
"docker compose") [ "$2 $3" = "run --rm" ] ;;
"kubectl apply" | "kubectl wait") ;;
"kubectl get") echo 127.0.0.1 ;;
"kubectl debug") [ "$2 $6 $7" = "-i -- /finwait" ] && shift 6 && there "$@" ;;
"docker run") [ "$2 $4 $5" = "-i --network container:shop" ] && shift 6 && exec finwait "$@" ;;
*) exit 99 ;;
esac
`

// scripts are what a document of YAML runs in a shell, or by an image that has only finwait.
func scripts(n *yaml.Node) (out []string) {
	for i, child := range n.Content {
		isValue := n.Kind == yaml.MappingNode && i%2 == 1
		switch {
		case isValue && n.Content[i-1].Value == "run":
			out = append(out, child.Value)
		case isValue && (n.Content[i-1].Value == "command" || n.Content[i-1].Value == "args"):
			line := "finwait"
			for _, arg := range child.Content {
				line += " '" + arg.Value + "'"
			}
			out = append(out, line)
		default:
			out = append(out, scripts(child)...)
		}
	}
	return out
}

// TestRemotePage runs the commands of remote.md, and those of its YAML, with stand-ins for docker,
// kubectl, ssh and sudo, against a server of this host. The binary that the page builds is static.
func TestRemotePage(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "finwait"), "../cmd/finwait").CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, out)
	}
	for _, name := range []string{"docker", "kubectl", "ssh", "sudo"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(carriers), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.CommandContext(t.Context(), filepath.Join(bin, "finwait"), "serve")
	lines, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = server.Process.Kill(), server.Wait() })
	line := make([]byte, 100)
	n, err := lines.Read(line)
	_, port, found := strings.Cut(strings.TrimSuffix(strings.TrimSpace(string(line[:n])), "/"), "ws://127.0.0.1:")
	if err != nil || !found {
		t.Fatalf("the server wrote %q, %v", line[:n], err)
	}
	if err := os.WriteFile(filepath.Join(bin, "pid"), []byte(strconv.Itoa(server.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("staging.example.org:8080", "127.0.0.1:"+port, "//shop:8080", "//127.0.0.1:"+port, "8080", port,
		"finwait run", "finwait run --only peer-close/code-1000", "finwait 'run'", "finwait run --only peer-close/code-1000",
		" -o finwait ", " -o "+bin+"/static ", "cp finwait ", "cp "+bin+"/static ")
	runs := 0
	play := func(line int, dir, text string) {
		text = here.Replace(text)
		runs += strings.Count(text, "finwait run")
		cmd := exec.Command("sh", "-ec", text)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "STAND_IN="+bin, "SHOP=shop")
		out, err := cmd.CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("note ")) {
			t.Errorf("remote.md:%d: %v\n%s%s", line, err, text, out)
		}
	}
	for _, b := range blocks(t, "remote.md") {
		switch b.language {
		case "sh":
			play(b.line, "..", b.text)
		case "yaml":
			var doc yaml.Node
			if err := yaml.Unmarshal([]byte(b.text), &doc); err != nil {
				t.Fatal(err)
			}
			for _, script := range scripts(&doc) {
				if !strings.Contains(script, "go install") { // the test has built it
					play(b.line, t.TempDir(), script)
				}
			}
		}
	}
	if runs != 12 {
		t.Errorf("%d runs", runs)
	}
	program, err := os.ReadFile(filepath.Join(bin, "static"))
	if err != nil || bytes.Contains(program, []byte("/ld-linux")) || bytes.Contains(program, []byte("libc.so")) {
		t.Errorf("the binary is linked to libraries of the system: %v", err)
	}
}
