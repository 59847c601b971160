package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/net/http/httpguts"

	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// targetFlags are the flags that say how a server is reached and judged.
type targetFlags struct {
	profile              rules.Profile
	headers              []string
	origin, subprotocols string
	tls                  flags.TLS
	closeExec, kickExec  string
}

// add adds all flags of the target.
func (t *targetFlags) add(c *cobra.Command) {
	t.addReach(c)
	t.addLimits(c)
	f := c.Flags()
	f.Var((*convention)(&t.profile.NoCode), "event-no-code", "the `code` that the server's close event has for a Close "+
		"frame without a code, besides 1005; null if it has none then")
	f.Var((*convention)(&t.profile.LostCode), "event-lost-code", "the `code` that the server's close event has if TCP "+
		"ended without a Close frame, besides 1006; null if it has none then")
	f.IntSliceVar(&t.profile.ShutdownCodes, "shutdown-code", nil, "a close `code` that a stopping server may send, "+
		"besides 1001 (repeatable)")
	f.BoolVar(&t.profile.KillUntold, "event-kill-untold", false, "the server's application gets no close event for its own hard kill")
	f.StringVar(&t.closeExec, "close-exec", "", "make the server close a connection by this shell `command`; {token} of "+
		"?finwait=TOKEN, {code} and {reason} are filled in, with --exec also {port} and {pid}; exit status 127: not supported")
	f.StringVar(&t.kickExec, "kick-exec", "", "make the server close all connections by this shell `command`; {code} is "+
		"filled in, and what --close-exec has; exit status 127: not supported")
}

// addLimits adds the flags that say how long things may take, and how rules are weighed.
func (t *targetFlags) addLimits(c *cobra.Command) {
	f := c.Flags()
	p := &t.profile
	limitVar(f, &p.CloseTimeout, "close-timeout", flags.Shortest, 10*time.Second, "declared limit for closing TCP and the "+
		"socket after a close began; judged with +20 % and 1 s")
	limitVar(f, &p.Response, "response", flags.Shortest, time.Second, "limit for what needs no waiting, such as the "+
		"answer to a Close frame; judged with +20 %")
	limitVar(f, &p.StopTimeout, "stop-timeout", flags.Shortest, 10*time.Second, "declared limit for the exit of a server "+
		"that was asked to stop; judged with +20 % and 1 s")
	limitVar(f, &p.Patience, "patience", 0, 0, "how long to look, from the trigger; 0s means 35s, or more if the close timeout needs it")
	limitVar(f, &p.PingInterval, "ping-interval", 0, 0, "declared keepalive interval, 0s for none; the server must close "+
		"a vanished peer's connection within two intervals")
	f.BoolVar(&p.Strict, "strict", false, "a breach of a SHOULD fails")
	f.Var(scenarios.WeightFlag{To: &p.Weights}, "rule", "what a breach of this rule does, overriding its grade and --strict: fail, warn,"+
		" or off, which means that it is not judged, such as R36=off (repeatable)")
	f.BoolVar(&p.Orphans, "orphans", false, "wait until the kernel has freed the socket, not only until the process has closed it")
}

// addReach adds the flags that say how the server is reached.
func (t *targetFlags) addReach(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&t.headers, "header", nil, "add this `'Name: value'` to the handshake request (repeatable)")
	f.StringVar(&t.origin, "origin", "", "Origin of the handshake request")
	f.StringVar(&t.subprotocols, "subprotocol", "", "Sec-WebSocket-Protocol of the handshake request, comma separated")
	f.StringVar(&t.tls.CA, "ca", "", "trust the certificates in this PEM `file` (wss)")
	f.BoolVar(&t.tls.Insecure, "insecure", false, "do not verify the server's certificate (wss)")
	f.StringVar(&t.tls.Cert, "cert", "", "present the client certificate in this PEM `file` (wss)")
	f.StringVar(&t.tls.Key, "key", "", "the PEM `file` of its key (default that of the certificate)")
}

// target checks the flags, and the URL of a server that is running already.
func (t *targetFlags) target(raw string) (*servers.Target, error) {
	u, err := servers.ParseURL(raw)
	if err != nil {
		return nil, err
	}
	return t.targetAt(u)
}

// targetAt checks the flags for a server with that URL.
func (t *targetFlags) targetAt(u *url.URL) (*servers.Target, error) {
	for _, code := range t.profile.ShutdownCodes {
		if err := closeCode(code); err != nil {
			return nil, fmt.Errorf("--shutdown-code %w", err)
		}
	}
	target := &servers.Target{URL: u, Header: http.Header{}, Profile: t.profile, CloseExec: t.closeExec, KickExec: t.kickExec}
	for i, h := range t.headers {
		name, value, err := flags.Header(h)
		if err != nil {
			return nil, fmt.Errorf("the %s --header: %w", ordinal(i), err)
		}
		target.Header.Add(name, value)
	}
	for flag, value := range map[string]string{"origin": t.origin, "subprotocol": t.subprotocols} {
		if err := headerValue(value); err != nil {
			return nil, fmt.Errorf("--%s %w", flag, err)
		}
	}
	if t.origin != "" {
		target.Header.Set("Origin", t.origin)
	}
	if t.subprotocols != "" {
		target.Header.Set("Sec-WebSocket-Protocol", t.subprotocols)
	}
	var err error
	if target.TLS, err = t.tls.Config(); err != nil {
		return nil, err
	}
	return target, nil
}

// closeCode returns an error if a number is outside the ranges of close codes (RFC 6455, 7.4.2).
func closeCode(code int) error {
	if code < 1000 || code > 4999 {
		return fmt.Errorf("%d: give a close code from 1000 to 4999", code)
	}
	return nil
}

// headerValue returns an error if a text cannot be the value of a header.
func headerValue(text string) error {
	if !httpguts.ValidHeaderFieldValue(text) {
		return fmt.Errorf("%+q cannot stand in a header: leave out its control characters", text)
	}
	return nil
}

// limitVar adds a flag for a duration. The value is stored in to, and least is its lower bound.
func limitVar(f *pflag.FlagSet, to *time.Duration, name string, least, usual time.Duration, usage string) {
	*to = usual
	f.Var(flags.Limit{To: to, Least: least}, name, usage)
}

// ordinal returns the ordinal of a flag; 0 is the first.
func ordinal(i int) string {
	if names := []string{"first", "second", "third"}; i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%dth", i+1)
}

// convention is a close code as a flag: a number, or null.
type convention rules.Convention

// Set implements pflag.Value.
func (c *convention) Set(s string) error {
	*c = convention{Declared: true}
	if s == "null" {
		return nil
	}
	code, err := strconv.Atoi(s)
	if err != nil || code < 0 || code > 65535 {
		return errors.New("give a close code from 0 to 65535, or null")
	}
	c.Code = &code
	return nil
}

// String implements pflag.Value.
func (c *convention) String() string {
	switch {
	case !c.Declared:
		return ""
	case c.Code == nil:
		return "null"
	}
	return strconv.Itoa(*c.Code)
}

// Type implements pflag.Value.
func (c *convention) Type() string { return "code" }
