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

// Client asks the application of one server for what the scenarios need, by the control
// contract or by the command lines that the user gave for that server.
type Client struct {
	Server    *servers.Target   // has the URL and the commands of the running server
	Commands  *process.Commands // runs the command lines
	Limits    rules.Profile     // has its defaults filled in
	Echo      bool              // the server answers a text with the same text
	SameClock bool              // the server runs on this host, and so has its clock

	mu            sync.Mutex
	firstShortage error // the first [peers.Shortage] of a trial
}

// Hello is the command that asks which commands the server obeys. The answer begins with
// greeting.
const (
	Hello    = "hello"
	greeting = "finwait:v1 "
)

// finwait reads so many bytes, at most, of an answer to [Hello] and to the events command.
const (
	HelloBytes  = 64 << 10
	eventsBytes = 1 << 20
)

// Claims returns the commands that the server claims to obey, if the message is the answer to
// [Hello]; false: it is another message.
func Claims(m peers.Message) ([]string, bool) {
	claims, ok := strings.CutPrefix(string(m.Payload), greeting)
	if !ok {
		return nil, false
	}
	return strings.Fields(claims), true
}

// A server that echoes sends these messages back.
const (
	ProbeText  = "are you there? asks finwait"
	probeBytes = "\x00\xff" // as a binary message: it is not UTF-8
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

// CanChoose tells whether finwait chooses the code and the reason of the server's Close frames.
// By the contract it does; a command line must have the placeholder for it.
func (c *Client) CanChoose() (code, reason bool) {
	lacksCode := func(line string) bool { return line != "" && !strings.Contains(line, string(evidence.ChosenCode)) }
	code = !slices.ContainsFunc([]string{c.Server.CloseExec, c.Server.KickExec}, lacksCode)
	reason = c.Server.CloseExec == "" || strings.Contains(c.Server.CloseExec, string(evidence.ChosenReason))
	return code, reason // kick-all has no reason
}

func (c *Client) options(setup, patience time.Duration) peers.Options {
	return peers.Options{URL: c.Server.URL, Header: c.Server.Header, TLS: c.Server.TLS, Setup: setup, Patience: patience}
}

// keepShortage remembers the first failure of a script that is a [peers.Shortage].
func (c *Client) keepShortage(r *peers.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.firstShortage == nil && errors.As(r.Failure, new(*peers.Shortage)) {
		c.firstShortage = r.Failure
	}
}

func (c *Client) shortage() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.firstShortage
}
