package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/servers"
	"github.com/finwait/finwait/sockets"
)

func observeCommand() *cobra.Command {
	var ports []uint
	var at observerFlags
	c := &cobra.Command{
		Use:   "observe --port PORT",
		Short: "Observe the sockets of a server for a finwait that runs elsewhere",
		Long: `Observe the sockets of the server that listens on --port, and write what becomes
of them to standard output, a line of JSON each. It runs beside the server: on its
host, in its container or in its pod. It opens no port and needs no privilege.
finwait run --observe-exec starts it and reads it.

It follows the connections that are made while it runs. It ends when its standard
input ends, so that it never outlives the ssh or kubectl that carries it.
docs/observe.md describes the lines.`,
		Example: `  finwait run ws://staging.example.org/ --observe-exec 'ssh staging.example.org finwait observe --port 8080'
  finwait run ws://172.17.0.2:8080/ --observe-exec 'docker exec -i shop finwait observe --port 8080'
  finwait run ws://10.244.0.7:8080/ --observe-exec 'kubectl exec -i shop -- finwait observe --port 8080'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(ports) == 0 {
				return errors.New("say which port the server listens on here: --port 8080")
			}
			checked := make([]uint16, len(ports))
			for i, port := range ports {
				if port < 1 || port > 65535 {
					return fmt.Errorf("--port %d: give a port from 1 to 65535", port)
				}
				checked[i] = uint16(port)
			}
			o, err := at.open()
			if err != nil {
				return err
			}
			defer o.Close()
			return o.Stream(c.Context(), checked, c.InOrStdin(), c.OutOrStdout())
		},
	}
	c.Flags().UintSliceVar(&ports, "port", nil, "the `port` that the server listens on (repeatable)")
	at.addPID(c)
	return c
}

// observerFlags say where the server's sockets are observed.
type observerFlags struct {
	pid  processID
	exec string
}

// processID is a process id as a flag; 0: none was given.
type processID int

// Set implements pflag.Value.
func (p *processID) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		return errors.New("no id of a running process: give one such as 4711 (docker inspect shows 0 for a container that has stopped)")
	}
	*p = processID(n)
	return nil
}

// String implements pflag.Value.
func (p *processID) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.Itoa(int(*p))
}

// Type implements pflag.Value.
func (p *processID) Type() string { return "pid" }

func (o *observerFlags) add(c *cobra.Command) {
	o.addPID(c)
	c.Flags().StringVar(&o.exec, "observe-exec", "", "observe the server's sockets by this shell `command`, which runs "+
		"finwait observe beside the server, as in 'ssh HOST finwait observe --port 8080'")
}

func (o *observerFlags) addPID(c *cobra.Command) {
	c.Flags().Var(&o.pid, "server-pid", "observe the server's sockets in the network namespace of the process with this `id` "+
		"on this host, such as a container's; needs CAP_SYS_ADMIN")
}

// open opens the observer of this host.
func (o *observerFlags) open() (*sockets.Observer, error) {
	observer, err := sockets.OpenAt(int(o.pid))
	if err != nil && o.pid != 0 {
		return nil, fmt.Errorf("--server-pid: %w", err)
	}
	return observer, err
}

// into checks the flags of a command, and adds them to the target.
func (o *observerFlags) into(t *servers.Target) error {
	name := "--server-pid"
	if o.exec != "" {
		name = "--observe-exec"
	}
	switch {
	case o.pid != 0 && o.exec != "":
		return errors.New("--server-pid and --observe-exec say both where the sockets are observed: give one")
	case (o.pid != 0 || o.exec != "") && t.Process != nil:
		return fmt.Errorf("%s observes a server that is running: give its URL, and not --exec", name)
	}
	if err := servers.CheckPlaceholders(o.exec); err != nil {
		return fmt.Errorf("--observe-exec %w", err)
	}
	t.ServerPID, t.ObserveExec = int(o.pid), o.exec
	return nil
}
