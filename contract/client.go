package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/process"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/servers"
)

// Client asks the application of one server for what the scenarios need: by the
// control contract, or by the command lines that the user gave for that server.
type Client struct {
	Server    *servers.Target   // as it is reached
	Commands  *process.Commands // runs its command lines
	Limits    rules.Profile     // with its defaults
	Echo      bool              // it answers a text with the same text
	SameClock bool              // its clock is this host's

	mu    sync.Mutex
	short error // the first [peers.Shortage] of a trial
}

// Hello is the command that asks which commands the server obeys, and greeting what
// the answer begins with.
const (
	Hello    = "hello"
	greeting = "finwait:v1 "
)

// How much finwait reads of an answer to [Hello], and of one to the events command,
// bytes.
const (
	HelloBytes  = 64 << 10
	eventsBytes = 1 << 20
)

// Claims are the commands that a message claims as the answer to [Hello]; false:
// it is not the answer.
func Claims(m peers.Message) ([]string, bool) {
	claims, ok := strings.CutPrefix(string(m.Payload), greeting)
	if !ok {
		return nil, false
	}
	return strings.Fields(claims), true
}

// What a server that echoes sends back.
const (
	ProbeText  = "are you there? asks finwait"
	probeBytes = "\x00\xff" // a binary message, which is not UTF-8
)

// ByUser tells whether a command line or a function of the user carries out this
// command of the contract.
func (c *Client) ByUser(command evidence.Capability) bool {
	return hasHook(c.Server.Hooks, command) || c.byLine(command)
}

// Claim says why a command of the contract is tried.
func (c *Client) Claim(command evidence.Capability) string {
	switch {
	case hasHook(c.Server.Hooks, command):
		return fmt.Sprintf("a function is given for %s", command)
	case c.byLine(command):
		return fmt.Sprintf("a command line is given for %s", command)
	}
	return fmt.Sprintf("the target claims %s", command)
}

func (c *Client) byLine(command evidence.Capability) bool {
	return command == evidence.CanClose && c.Server.CloseExec != "" || command == evidence.CanKickAll && c.Server.KickExec != ""
}

// Chosen tells whether what closes the server's connections takes the code and the
// reason that are to stand in the Close frame: always by the contract, by a command
// line where it has the placeholder.
func (c *Client) Chosen() (code, reason bool) {
	lines := []string{c.Server.CloseExec, c.Server.KickExec}
	code = !slices.ContainsFunc(lines, func(line string) bool { return line != "" && !strings.Contains(line, string(evidence.ChosenCode)) })
	return code, c.Server.CloseExec == "" || strings.Contains(c.Server.CloseExec, string(evidence.ChosenReason)) // no kick has a reason
}

func (c *Client) options(setup, patience time.Duration) peers.Options {
	return peers.Options{URL: c.Server.URL, Header: c.Server.Header, TLS: c.Server.TLS, Setup: setup, Patience: patience}
}

// note keeps the first failure of a script for want of what this host lacks.
func (c *Client) note(r *peers.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.short == nil && errors.As(r.Failure, new(*peers.Shortage)) {
		c.short = r.Failure
	}
}

func (c *Client) shortage() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.short
}
