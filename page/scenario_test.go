package page_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reports"
)

// lines are the rows of the tables that the page of a scenario has: its cells
// with a bar between them; open-ended bars are ▶, and a striped part is ░.
func lines(t *testing.T, s reports.Scenario, has ...string) []string {
	t.Helper()
	s.ID, s.Family, s.Verdict = "family/name", "family", "pass"
	var b bytes.Buffer
	if err := page.Report(&b, &reports.Report{Has: has, Scenarios: []reports.Scenario{s}}); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for row := range doc.Descendants() {
		if row.Data != "tr" {
			continue
		}
		var cells []string
		for n := range row.Descendants() {
			switch {
			case n.Data == "td" || n.Data == "th":
				cells = append(cells, "")
			case n.Data == "path" && slices.Contains(n.Attr, html.Attribute{Key: "class", Val: "doubt"}):
				cells[len(cells)-1] += "░"
			case n.Data == "path":
				cells[len(cells)-1] += "▶"
			case n.Type == html.TextNode:
				cells[len(cells)-1] += strings.TrimSpace(n.Data)
			}
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out
}

func TestScenario(t *testing.T) {
	const events = "finwait:events"
	event := func(seconds float64) []reports.AppEvent { return []reports.AppEvent{{At: at(seconds)}} }
	held := func(until, bound float64, censored bool, states ...reports.State) *reports.Socket {
		return &reports.Socket{Observed: true, Held: &reports.Survival{Until: until, Bound: bound, Censored: censored}, States: states}
	}
	with := func(w *reports.Wire, change func(*reports.Wire)) *reports.Wire { change(w); return w }
	for name, c := range map[string]struct {
		s    reports.Scenario
		has  string
		want []string
		not  string
	}{
		"all three end": {
			s:   reports.Scenario{Wire: wire("fin", 1, 2), Events: event(1.5), Socket: held(1.9, 0, false)},
			has: events, want: []string{"wire |  | FIN at 1.00 s", "application |  | close event at 1.50 s",
				"socket |  | held 1.90 s"}, not: "▶",
		},
		"an event that finwait's own end brought about": {
			s:   reports.Scenario{Wire: wire("open", 35, 35), Events: event(35.002), Socket: held(35, 0, true)},
			has: events,
			want: []string{"wire | ▶ | still open after 35.0 s", "application | ▶ | no close event before 35.0 s",
				"35.0 s |  |  | event: code null, after finwait had stopped looking"},
		},
		"such an event of a library that dates to the millisecond": {
			s:   reports.Scenario{Wire: wire("open", 35.0004, 35.0004), Events: event(35), Socket: held(35.0004, 0, true)},
			has: events, want: []string{"application | ▶ | no close event before 35.0 s"},
		},
		"no event": {
			s: reports.Scenario{Wire: wire("fin", 1, 2), Socket: held(1, 0, false)}, has: events,
			want: []string{"application | ▶ | no close event before 2.00 s"},
		},
		"no events are told": {
			s:    reports.Scenario{Wire: wire("fin", 1, 2), Socket: held(1, 0, false)},
			want: []string{"application |  | not observed: the target does not report its close events"},
		},
		"sockets are not observed": {
			s: reports.Scenario{Wire: wire("fin", 1, 2), Events: event(1),
				Socket: &reports.Socket{Why: "server sockets are not observed: not on this host"}},
			has: events,
			want: []string{"application |  | event: code null; when is not known", "socket |  | not observed: not on this " +
				"host", " |  |  | event: code null"},
		},
		"a stopped server": {
			s: reports.Scenario{Wire: wire("fin", 1, 2), Exit: &reports.Exit{At: 2}}, has: events,
			want: []string{"application |  | not observed: a server that has stopped cannot be asked"},
		},
		"the peer was dark": {
			s:    reports.Scenario{Wire: with(wire("unseen", 35, 35), func(w *reports.Wire) { w.Dark = new(0.001) })},
			want: []string{"wire | ▶ | end not seen: the peer was dark"},
		},
		"the peer had reset": {
			s:    reports.Scenario{Wire: with(wire("unseen", 35, 35), func(w *reports.Wire) { w.PeerRST = new(0.001) })},
			want: []string{"wire | ▶ | end not seen: the peer had sent RST"},
		},
		"an orphan, counted from the trigger": {
			s: reports.Scenario{Wire: wire("fin", 1, 3), Socket: &reports.Socket{Observed: true,
				Held: &reports.Survival{Until: 2}, Orphan: &reports.Survival{Until: 3, Censored: true}}},
			want: []string{"socket | ▶ | held 2.00 s; as an orphan there until > 3.00 s", " | 0.00 ms750 ms1.50 s2.25 s3.00 s | "},
		},
		"TIME_WAIT is no orphan, and the release is before it where it may be": {
			s: reports.Scenario{Wire: wire("fin", 0.001, 0.003), Socket: held(0.003, 0.0025, false,
				reports.State{Name: "ESTABLISHED", Held: true}, reports.State{At: 0.001, Name: "TIME_WAIT"})},
			want: []string{"1.00 ms |  |  | the server process releases the socket, seen at 3.00 ms",
				"1.00 ms |  |  | socket TIME_WAIT"}, not: "orphan",
		},
		"a TIME_WAIT of a socket that is held": {
			s: reports.Scenario{Wire: wire("fin", 0.001, 0.003), Socket: held(0.003, 0.001, false,
				reports.State{Name: "ESTABLISHED", Held: true}, reports.State{At: 0.001, Name: "TIME_WAIT"})},
			want: []string{"1.00 ms |  |  | socket TIME_WAIT", "3.00 ms |  |  | the server process releases the socket"},
		},
		"an orphan": {
			s: reports.Scenario{Wire: wire("fin", 0.001, 0.003), Socket: held(0.003, 0.001, false,
				reports.State{Name: "SYN_RECV"}, reports.State{Name: "ESTABLISHED", Held: true}, reports.State{At: 0.003,
					Name: "FIN_WAIT1"})},
			want: []string{"0.00 ms |  |  | socket SYN_RECV, not accepted yet", "3.00 ms |  |  | the server process " +
				"releases the socket", "3.00 ms |  |  | socket FIN_WAIT1, an orphan"},
		},
		"a peer that comes back": {
			s: reports.Scenario{Wire: wire("fin", 4, 4), Trace: []reports.Event{
				{At: 0, Dir: "local", Kind: "dark", What: "gone dark"}, {At: 1, Dir: "sent", What: "text"}, {At: 2,
					Dir: "local", What: "stopped reading"},
				{At: 3, Dir: "local", Kind: "dark-end", What: "back from the dark"}, {At: 4, Dir: "received", What: "FIN"}}},
			want: []string{"0.00 ms | gone dark |  | ", "1.00 s | dark | text | ", "2.00 s | stopped reading,dark |  | ",
				"3.00 s | back from the dark |  | ", "4.00 s |  | FIN | "},
		},
		"an interval": {
			s: reports.Scenario{Wire: wire("fin", 1, 2), Events: event(1.5), Socket: &reports.Socket{Observed: true, By: "probes",
				Held: &reports.Survival{Until: 30.5, Bound: 1}, Looks: []reports.Look{
					{Asked: 29.5, Answered: 29.6, State: "held", How: "ACK"}, {Asked: 30.4, Answered: 30.5, State: "let go", How: "RST"},
					{Asked: 31, Answered: 35, State: "unknown"}}}},
			has: events,
			want: []string{"application |  | event: code null; when is not known",
				"socket | ░ | let go between 29.5 s and 30.5 s, as the probes found", "probes | let go between 29.5 s and 30.5 s",
				" | asked at 29.5 s: held (ACK)", " | asked at 30.4 s: let go by 30.5 s (RST)", " | asked at 31.0 s: unknown",
				"30.5 s |  |  | by now the server process has let go of the socket"}, not: "▶",
		},
		"another witness": {
			s: reports.Scenario{Wire: wire("fin", 1, 2), Events: event(1.5), Socket: &reports.Socket{Observed: true, By: "kernel",
				Held: &reports.Survival{Until: 30}, Others: []reports.Witness{{By: "observer", Why: "it stopped"}}}},
			has: events,
			want: []string{"application |  | close event at 1.50 s", "socket |  | held 30.0 s", "kernel | held 30.0 s",
				"observer | not observed: it stopped"}, not: "░",
		},
		"a crowd": {
			s: stop(),
			want: []string{
				"peers | how many | Close code | end of TCP | longest held", "polite | 2 | 1001 ×2 | FIN ×2 | 2.00 ms",
				"ignores | 2 | 1001 ×1, none seen ×1 | FIN ×1, still open ×1 | > 30.0 s", "connecting | 1 |  | refused ×1 | not observed",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(t, c.s, c.has)
			from := 0
			for _, want := range c.want {
				i := slices.Index(got[from:], want)
				if i < 0 {
					t.Fatalf("no %q where it belongs in\n%s", want, strings.Join(got, "\n"))
				}
				from += i + 1
			}
			if c.not != "" && strings.Contains(strings.Join(got, "\n"), c.not) {
				t.Errorf("%q in\n%s", c.not, strings.Join(got, "\n"))
			}
		})
	}
}
