package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/reports"
)

func serveCommand() *cobra.Command {
	var o reference.Options
	var listen, cert, key string
	var listFaults bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the reference server, correct or with one named fault",
		Example: `  finwait serve --listen 127.0.0.1:9001
  finwait serve --fault never-fin
  finwait serve --list-faults`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			if listFaults {
				w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				for _, f := range append(reference.Faults(), reference.StopFaults()...) {
					fmt.Fprintf(w, "%s\t%s\tbreaks %s\n", f.Name, f.Text, words(f.Breaks))
				}
				return w.Flush()
			}
			if err := o.Check(); err != nil {
				return err
			}
			if o.PingInterval == 0 { // the server reads 0 as its default, and a negative interval as no pings
				o.PingInterval = -1
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			scheme := "ws"
			if cert != "" {
				pair, err := tls.LoadX509KeyPair(cert, key)
				if err != nil {
					l.Close()
					return fmt.Errorf("--cert and --key: %w", err)
				}
				l, scheme = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}}), "wss"
			}
			fmt.Fprintf(out, "listening on %s://%s/\n", scheme, l.Addr())
			if o.Fault != "" {
				fmt.Fprintf(out, "fault: %s\n", reports.OneLine(o.Fault))
			}
			return reference.Serve(c.Context(), l, o)
		},
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&o.Fault, "fault", "", "the `name` of the fault to have")
	f.BoolVar(&listFaults, "list-faults", false, "list the faults and the rules that each breaks")
	limitVar(f, &o.CloseTimeout, "close-timeout", flags.Shortest, 2*time.Second, "limit for everything after a close has begun")
	limitVar(f, &o.PingInterval, "ping-interval", 0, time.Second, "time between pings; 0s sends none")
	f.StringVar(&cert, "cert", "", "serve wss with the certificate in this PEM `file`")
	f.StringVar(&key, "key", "", "the PEM `file` of its private key")
	c.MarkFlagsRequiredTogether("cert", "key")
	_ = c.RegisterFlagCompletionFunc("fault", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, f := range append(reference.Faults(), reference.StopFaults()...) {
			names = append(names, f.Name+"\t"+f.Text)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}
