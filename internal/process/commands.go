package process

import (
	"os/exec"
	"sync"
	"time"
)

// Commands runs short commands of the user's, until End.
type Commands struct {
	mark     mark
	guarding sync.Once
	guardian *exec.Cmd

	mu   sync.Mutex
	left []*Server // whose output something that they left behind holds open
}

// NewCommands has run none yet.
func NewCommands() *Commands { return &Commands{mark: newMark()} }

// lastOutput is how long what a command wrote before its exit may take to be read where
// something that it left behind holds its output open.
const lastOutput = 100 * time.Millisecond

// Run runs cmd, which [Command] or [Shell] made, and gives the last that it wrote. The
// error is an [*exec.ExitError] where it did not exit with 0. What it has left behind
// does not delay that, and runs on until End.
func (c *Commands) Run(cmd *exec.Cmd) (output string, err error) {
	c.guarding.Do(func() { c.guardian = guard("", c.mark) })
	s, err := start(cmd, c.mark, func(int) {})
	if err != nil {
		return "", err
	}
	<-s.exited
	if !s.readAll(lastOutput) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.left = append(c.left, s)
	}
	return s.Output.String(), s.err
}

// End ends what the commands have left behind, where there is a proc(5); none may run.
func (c *Commands) End() {
	c.guarding.Do(func() {})
	if c.guardian == nil {
		return // none was run
	}
	c.mark.killStrays()
	stop(c.guardian)
	for _, s := range c.left {
		s.readAll(time.Second)
		_ = s.output.Close()
	}
}
