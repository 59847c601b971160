package rules

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
)

// The application closes one connection or all: R38 and R39, judged over a crowd.
var (
	CrowdReleased = Rule{
		ID: "R16-crowd", Req: "R16", Grade: Budget, Clause: "close timeout",
		Text:  "the server process lets go of every socket of the crowd",
		Check: crowdReleased,
	}
)

// OthersUnharmed is R39: each peer of the crowd gets the echo of this text, which
// it sends after one connection has ended.
func OthersUnharmed(text string) Rule {
	return Rule{
		ID: "R39", Req: "R39", Grade: Must, Clause: "operational",
		Text: "when one connection ends the others still get their echoes",
		Check: func(r *evidence.Record, _ Profile) Finding {
			echoed := 0
			for _, c := range r.Crowd {
				if c.Echoes[text] > 0 {
					echoed++
				}
			}
			want := fmt.Sprintf("an echo of %q for each of %d others", text, len(r.Crowd))
			return judged(echoed == len(r.Crowd), want, fmt.Sprintf("%d received it", echoed))
		},
	}
}

// CrowdEvents are the rules on the close event of each peer of the crowd, whether it sent a
// Close frame or not.
func CrowdEvents() []Rule {
	return []Rule{forEachPeer(EventCode), forEachPeer(EventLost), forEachPeer(OneEvent)}
}

// forEachPeer judges each peer of the crowd by a rule. Its finding is the first of the
// gravest, with the number of peers that have it.
func forEachPeer(rule Rule) Rule {
	check := rule.Check
	rule.ID += "-crowd"
	rule.Text += ", for each peer of the crowd"
	rule.Check = func(r *evidence.Record, p Profile) Finding {
		var out Finding
		counts := map[Outcome]int{}
		gravest := []Outcome{Breached, Unmeasured, Kept, Moot}
		for _, c := range r.Crowd {
			f := check(c, p)
			counts[f.Outcome]++
			if out.Outcome == "" || slices.Index(gravest, f.Outcome) < slices.Index(gravest, out.Outcome) {
				out = f
			}
		}
		if len(r.Crowd) == 0 {
			return moot("there is no crowd")
		}
		out.Got = fmt.Sprintf("%d of %d: %s", counts[out.Outcome], len(r.Crowd), out.Got)
		return out
	}
	return rule
}

// EveryoneClosed is R38: each peer of the crowd gets a Close frame with the code.
func EveryoneClosed(code int) Rule {
	return Rule{
		ID: "R38", Req: "R38", Grade: Must, Clause: "operational",
		Text: "a kick of all closes every connection",
		Check: func(r *evidence.Record, _ Profile) Finding {
			received, closed := 0, 0
			for _, c := range r.Crowd {
				if len(c.Closes) > 0 {
					closed++
					if got, ok := c.Closes[0].Code(); ok && got == code {
						received++
					}
				}
			}
			switch {
			case r.Has[evidence.ChosenCode]:
			case closed > 0 && closed == len(r.Crowd):
				return kept(fmt.Sprintf("a Close frame for each of %d peers", len(r.Crowd)), fmt.Sprintf("%d received one", closed))
			default: // the command line may end connections in another way
				return unmeasured(evidence.ChosenCode, fmt.Sprintf(
					"the command line that closes has no {code}; %d of %d peers received a Close frame", closed, len(r.Crowd)))
			}
			want := fmt.Sprintf("close %d for each of %d peers", code, len(r.Crowd))
			return judged(received == len(r.Crowd), want, fmt.Sprintf("%d received it", received))
		},
	}
}

func crowdReleased(r *evidence.Record, p Profile) Finding {
	want := "the server process holds each socket for at most " + figures.Format(p.CloseLimit())
	late, unknown := 0, ""
	var last evidence.Survival
	for _, c := range r.Crowd {
		held := c.Socket.Held
		switch why := whyUnknown(c.Socket); {
		case why != "":
			unknown = cmp.Or(unknown, why)
			continue
		case !decides(held, p.CloseLimit()):
			unknown = cmp.Or(unknown, heldSeen(c)+"; "+whyUndecided(c, p.CloseLimit()))
		case surelyBeyond(held, p.CloseLimit()):
			late++
		}
		if held.Until > last.Until {
			last = held
		}
	}
	if late == 0 && unknown != "" {
		return unmeasured(evidence.Local, "of the crowd: "+unknown)
	}
	got := "the last for " + figures.Format(last.Until)
	if last.Censored {
		got = "the last still after " + figures.Format(last.Until)
	}
	return judged(late == 0, want, fmt.Sprintf("%d of %d were held longer, %s", late, len(r.Crowd), got))
}
