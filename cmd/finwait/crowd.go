package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/crowds"
	"github.com/finwait/finwait/internal/flags"
	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/reports"
)

// mostPeers is how many connections one process can hold.
const mostPeers = 200_000

func crowdCommand() *cobra.Command {
	var t targetFlags
	var p processFlags
	var observer observerFlags
	var conf config
	var json, svg, mix, then string
	n := 1000
	o := crowds.Options{}
	c := &cobra.Command{
		Use:   "crowd [--exec COMMAND] [URL]",
		Short: "Hold thousands of connections, and measure how a server closes them",
		Long: `Open a crowd of peers to the WebSocket server at URL (ws://), hold it, end it,
and report how long the server's sockets survived, for each kind of peer.
Without a URL, finwait's own reference server is the target.

  polite         answers the server's Close, and ends TCP
  ignores        ignores the server's Close and FIN
  no-fin         answers the Close, and never sends FIN
  vanishes       goes dark without a packet
  stops-reading  has sent 128 KiB of text, and reads nothing of what comes back
  resets         sends RST

The crowd ends when each peer closes with 1000, in its way (--then close), when
the server's application closes all of them (kick-all: by the control contract
or --kick-exec), or when the server is stopped (stop: with --exec or
--stop-exec).

Exit status: 0 measured, 1 not every peer could be opened and held until then,
2 not carried out, or interrupted.`,
		Example: `  finwait crowd
  finwait crowd ws://127.0.0.1:8080/ --peers 10000
  finwait crowd ws://127.0.0.1:8080/ --peers 10000 --mix polite=60,ignores=20,vanishes=10,stops-reading=10 --then kick-all
  finwait crowd --exec 'node server.js' ws://127.0.0.1:{port}/ --mix polite=4,no-fin=1 --then stop`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			args, err := conf.load(c, args)
			if err != nil {
				return err
			}
			if n < 1 || n > mostPeers {
				return fmt.Errorf("--peers %d: give a number of peers from 1 to %d", n, mostPeers)
			}
			embedded := len(args) == 0 && p.line == ""
			if len(args) == 0 {
				args = []string{ownURL()}
			}
			if embedded {
				if err := p.embedded(); err != nil {
					return err
				}
			}
			if o.Peers, err = mixed(mix, n); err != nil {
				return err
			}
			if o.Then, err = endOf(then, &p); err != nil {
				return err
			}
			if o.AtOnce < 1 {
				return fmt.Errorf("--at-once %d: give at least 1", o.AtOnce)
			}
			target, err := p.target(&t, args[0])
			if err != nil {
				return err
			}
			if err := observer.into(target); err != nil {
				return err
			}
			if embedded {
				target.Name = "finwait's reference server"
			}
			if target.URL.Scheme != "ws" {
				return fmt.Errorf("finwait crowd speaks no TLS: give a ws:// URL, such as that of the server behind %s", target)
			}
			if err := writable(json, svg); err != nil {
				return err
			}
			out := c.OutOrStdout()
			screen := terminal(out)
			fmt.Fprintf(out, "%s against %s: %s, then %s\n", reports.Peers(n), reports.OneLine(target.String()), mix, o.Then)
			progress, end := counter(out, screen, n)
			o.Progress = func(opened, failed int) {
				reporting(out)
				if progress != nil {
					progress(opened, failed)
				}
			}
			run, err := crowds.Hold(c.Context(), target, o)
			end()
			if err != nil {
				return withHint(target, err)
			}
			crowd := reports.NewCrowd(run)
			reports.CrowdText(out, crowd, screen)
			return unwritten(crowdOutcome(c.Context(), crowd),
				write(json, func(w io.Writer) error { return reports.CrowdJSON(w, crowd) }),
				write(svg, func(w io.Writer) error { return reports.CrowdSVG(w, crowd) }))
		},
	}
	t.addReach(c)
	p.add(c)
	observer.addPID(c)
	conf.add(c)
	f := c.Flags()
	f.IntVar(&n, "peers", n, "how many `peers`")
	f.StringVar(&mix, "mix", "polite=60,ignores=20,vanishes=10,stops-reading=10", "`shares` of the kinds of peers in the crowd")
	f.StringVar(&then, "then", "", "how the crowd ends: close, kick-all or stop (default stop if finwait can stop the server, else close)")
	limitVar(f, &o.Hold, "hold", 0, time.Second, "how long the crowd is held before that")
	f.IntVar(&o.AtOnce, "at-once", 64, "how many connections are being opened at the same time")
	limitVar(f, &t.profile.Patience, "patience", flags.Shortest, 35*time.Second, "how long to look, from that on")
	f.StringVar(&t.kickExec, "kick-exec", "", "make the server close all connections by this shell `command`; {code} is "+
		"filled in, with --exec also {port} and {pid}")
	f.StringVar(&json, "json", "", "write what was measured to `file`")
	f.StringVar(&svg, "svg", "", "draw the survival curves into `file`")
	_ = c.RegisterFlagCompletionFunc("then", cobra.FixedCompletions([]string{"close", "kick-all", "stop"},
		cobra.ShellCompDirectiveNoFileComp))
	return c
}

// mixed returns the kinds of n peers with the shares of a mix such as "polite=60,ignores=40".
// Their order is random, but the same in each run.
func mixed(mix string, n int) ([]peers.Kind, error) {
	var kinds []peers.Kind
	var shares []int
	total := 0
	for _, part := range strings.Split(mix, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		kind, share := peers.Kind(name), 0
		if !slices.Contains(peers.Kinds, kind) {
			return nil, fmt.Errorf("--mix %q: there is no kind of peer %q, but %s", mix, name, joined(peers.Kinds))
		}
		share, err := strconv.Atoi(number)
		if err != nil || share < 0 || share > 1_000_000 {
			return nil, fmt.Errorf("--mix %q: the share of %s is a whole number, such as %s=20", mix, name, name)
		}
		kinds, shares, total = append(kinds, kind), append(shares, share), total+share
	}
	if total == 0 {
		return nil, fmt.Errorf("--mix %q: no kind has a share", mix)
	}
	out := make([]peers.Kind, 0, n)
	byRemainder := make([]int, len(kinds)) // indices of kinds, the largest remainder of the division first
	for i, kind := range kinds {
		byRemainder[i] = i
		out = append(out, slices.Repeat([]peers.Kind{kind}, shares[i]*n/total)...)
	}
	slices.SortStableFunc(byRemainder, func(a, b int) int { return shares[b]*n%total - shares[a]*n%total })
	for _, i := range byRemainder[:n-len(out)] {
		out = append(out, kinds[i])
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out, nil
}

func joined(kinds []peers.Kind) string {
	s := make([]string, len(kinds))
	for i, k := range kinds {
		s[i] = string(k)
	}
	return strings.Join(s, ", ")
}

// endOf parses --then. Its default depends on whether finwait can stop the server.
func endOf(then string, p *processFlags) (crowds.End, error) {
	stops := p.line != "" || p.args != nil || p.stopExec != ""
	end := crowds.End(then)
	switch {
	case then == "" && stops:
		return crowds.ServerStops, nil
	case then == "":
		return crowds.PeersClose, nil
	case end == crowds.ServerStops && !stops:
		return "", fmt.Errorf("--then stop: say how the server is stopped, with --exec or --stop-exec")
	case !slices.Contains([]crowds.End{crowds.PeersClose, crowds.ServerKicks, crowds.ServerStops}, end):
		return "", fmt.Errorf("--then %q is none of close, kick-all, stop", then)
	}
	return end, nil
}

// counter shows on a terminal how many peers are open.
func counter(w io.Writer, o reports.TerminalOptions, n int) (progress func(opened, failed int), end func()) {
	if !o.Live {
		return nil, func() {}
	}
	const clear = "\r\x1b[K"
	var last time.Time
	progress = func(opened, failed int) {
		if now := time.Now(); now.Sub(last) > 100*time.Millisecond || opened+failed == n {
			last = now
			fmt.Fprintf(w, "%s%d of %d open, %d failed", clear, opened, n, failed)
		}
	}
	return progress, func() { fmt.Fprint(w, clear) }
}

// crowdOutcome returns the error that the command ends with; nil: the crowd was measured.
func crowdOutcome(ctx context.Context, crowd *reports.Crowd) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(crowd.Failures) > 0 || crowd.Lost > 0:
		return errFailed
	}
	return nil
}
