package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/finwait/finwait/reports"
)

// target is a real server: the folder's target.yaml.
type target struct {
	Name, Language, Library, Version, Source string
	Install, Start                           string            // commands, run in the folder
	Notes                                    string            // what the library's documentation says about closing
	Alone                                    []string          // scenarios that kill the server: each runs on a process of its own
	Because                                  map[string]string // rule id, or "scenario rule", to why it is breached

	dir string
}

// load reads every target.yaml below dir, or that of one folder.
func load(dir, only string) ([]target, error) {
	if only == "" {
		only = "*"
	}
	files, err := filepath.Glob(filepath.Join(dir, only, "target.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no target.yaml in %s", filepath.Join(dir, only))
	}
	var out []target
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		t := target{dir: filepath.Dir(file)}
		if err := yaml.Unmarshal(text, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// because explains a failure in one sentence.
func (t target) because(g *reports.Alike) string {
	f := g.Breach()
	if f == nil {
		return ""
	}
	if why := t.Because[g.Result.Scenario.ID+" "+f.Rule.ID]; why != "" {
		return why
	}
	return t.Because[f.Rule.ID]
}

func (t target) install(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", t.Install)
	cmd.Dir, cmd.WaitDelay = t.dir, time.Second
	ownGroup(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", t.Install, err, out)
	}
	return nil
}

// server is a process of a target.
type server struct {
	url *url.URL
	cmd *exec.Cmd
}

// start runs the server on a free port and waits, ten seconds at most, until
// it says that it listens; an error ends with what it wrote to standard error.
// It is ended with ctx, as by stop.
func (t target) start(ctx context.Context) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(t.Start)
	cmd := exec.CommandContext(ctx, fields[0], fields[1:]...)
	cmd.Dir, cmd.WaitDelay = t.dir, time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port))
	ownGroup(cmd)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Start, err)
	}
	s := &server{url: &url.URL{Scheme: "ws", Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/"}, cmd: cmd}
	ready := make(chan error, 1)
	go func() {
		ready <- listening(out)
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case err = <-ready:
	case <-time.After(10 * time.Second):
		err = errors.New("is not listening after 10 s")
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w\n%s", t.Start, err, complaints.Bytes())
	}
	return s, nil
}

// listening blocks until a line says so, or no further line comes.
func listening(out io.Reader) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "listening") {
			return nil
		}
	}
	return errors.New("ended before it was listening")
}

// stop kills the process and its group, and returns when it has ended.
func (s *server) stop() {
	_ = s.cmd.Cancel()
	_ = s.cmd.Wait()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
