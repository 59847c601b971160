package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// carriers stand in for the programs that reach a container, a pod or another host: what they run
// there, they run here.
const carriers = `#!/bin/sh
case "${0##*/} $1" in
"ssh "*) shift; exec "$@" ;;
"sudo "*) exec "$@" ;;
"docker inspect") case $3 in *Pid*) cat "$STAND_IN/pid" ;; *) echo 127.0.0.1 ;; esac ;;
"docker exec") [ "$2 $3" = "-i shop" ] && shift 3 && exec "$@" ;;
"docker cp") [ -x "$2" ] ;;
"kubectl cp") [ -x "$2" ] ;;
"kubectl exec") [ "$2 $3 $4" = "-i shop --" ] && shift 4 && exec "$@" ;;
"kubectl debug") [ "$2 $6 $7" = "-i -- /finwait" ] && shift 7 && exec finwait "$@" ;;
"docker run") [ "$2 $4 $5" = "-i --network container:shop" ] && shift 6 && exec finwait "$@" ;;
"docker build") [ -f "$4/Dockerfile" ] ;;
"docker push") ;;
*) exit 99 ;;
esac
`

// TestRemotePage runs the commands of remote.md, with stand-ins for docker, kubectl, ssh and sudo,
// against a server of this host. The binary that the page builds is static.
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
	runs := 0
	for _, b := range blocks(t, "remote.md") {
		if b.language != "sh" {
			t.Errorf("remote.md:%d: what is a block of %q for?", b.line, b.language)
			continue
		}
		text := strings.NewReplacer("staging.example.org:8080", "127.0.0.1:"+port, "8080", port,
			"finwait run", "finwait run --only peer-close/code-1000", " -o finwait ", " -o "+bin+"/static ",
			"cp finwait ", "cp "+bin+"/static ").Replace(b.text)
		runs += strings.Count(text, "finwait run")
		cmd := exec.Command("sh", "-ec", text)
		cmd.Dir = ".."
		cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "STAND_IN="+bin)
		out, err := cmd.CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("note ")) {
			t.Errorf("remote.md:%d: %v\n%s%s", b.line, err, text, out)
		}
	}
	if runs != 6 {
		t.Errorf("%d runs", runs)
	}
	program, err := os.ReadFile(filepath.Join(bin, "static"))
	if err != nil || bytes.Contains(program, []byte("/ld-linux")) || bytes.Contains(program, []byte("libc.so")) {
		t.Errorf("the binary is linked to libraries of the system: %v", err)
	}
}
