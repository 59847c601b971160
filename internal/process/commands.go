package process

import (
	"os/exec"
	"sync"
	"time"
)

// Commands runs short commands of the user. End ends what they leave behind.
type Commands struct {
	mark     mark
	guarding sync.Once
	guardian *exec.Cmd

	mu             sync.Mutex
	withOpenOutput []*Server // commands that have exited and left a process that holds their output open
}

// NewCommands returns Commands that have run nothing yet. The caller must call End.
func NewCommands() *Commands { return &Commands{mark: newMark()} }

// outputGrace is how long Run reads the output of a command that has exited, if a process that
// the command left behind holds the output open.
const outputGrace = 100 * time.Millisecond

// Run runs cmd, which [Command] or [Shell] made, blocks until it has exited, and returns what
// it wrote last. The error is an [*exec.ExitError] if the exit status is not 0. Processes that
// the command leaves behind do not delay Run; they run on until End.
func (c *Commands) Run(cmd *exec.Cmd) (output string, err error) {
	c.guarding.Do(func() { c.guardian = startGuardian("", c.mark) })
	s, err := start(cmd, c.mark, func(int) {})
	if err != nil {
		return "", err
	}
	<-s.exited
	if !s.readAll(outputGrace) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.withOpenOutput = append(c.withOpenOutput, s)
	}
	return s.Output.String(), s.exitErr
}

// End kills the processes that the commands have left behind, on systems with proc(5). No
// command may be running.
func (c *Commands) End() {
	c.guarding.Do(func() {})
	if c.guardian == nil {
		return // none was run
	}
	c.mark.killStrays()
	stop(c.guardian)
	for _, s := range c.withOpenOutput {
		s.readAll(time.Second)
		_ = s.output.Close()
	}
}
