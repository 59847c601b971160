package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/finwait/finwait/internal/hostile"
	"github.com/finwait/finwait/reference"
)

// status CODE PROGRAM [ARG]... runs the program, which must end with that exit
// status: with one line on stderr if it is 2, with none otherwise.
func status(ts *testscript.TestScript, _ bool, args []string) {
	err, code := ts.Exec(args[1], args[2:]...), 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
	stderr := ts.ReadFile("stderr")
	if line := strings.HasPrefix(stderr, "finwait: ") && strings.Index(stderr,
		"\n") == len(stderr)-1; line != (code == exitNotDone) || !line && stderr != "" {
		ts.Fatalf("exit status %d with %q on stderr", code, stderr)
	}
}

// hostile NAME runs a hostile server at $URL until the script ends.
func hostileServer(ts *testscript.TestScript, _ bool, args []string) {
	s, err := hostile.Start(args[0])
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Setenv("URL", s.URL)
}

// refserver [FAULT] runs the reference server at $URL, on port $REFPORT, until the script ends.
func refserver(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- reference.Serve(ctx, l, reference.Options{Fault: strings.Join(args, "")}) }()
	ts.Defer(func() { cancel(); ts.Check(<-served) })
	ts.Setenv("URL", "ws://"+l.Addr().String()+"/")
	ts.Setenv("REFPORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// fits FILE [SCHEMA] checks a JSON report against a schema, that of run.
func fitsSchema(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(fits(ts.MkAbs(args[0]), append(args, "report")[1]))
}

// login SECRET runs a server at $LOGIN that answers 418 to who gives the secret in the
// query and as a bearer token, and else 401.
func login(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusUnauthorized
		if r.URL.Query().Get("token") == args[0] && r.Header.Get("Authorization") == "Bearer "+args[0] {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
	}))
	ts.Defer(s.Close)
	ts.Setenv("LOGIN", strings.Replace(s.URL, "http", "ws", 1)+"/")
}

// answers STATUS is a program that serves HTTP at $PORT and answers with the status.
func answers() {
	status, _ := strconv.Atoi(os.Args[1])
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(answer))
}
