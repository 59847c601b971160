package rules

import (
	"github.com/finwait/finwait/evidence"
	"github.com/finwait/finwait/internal/figures"
)

// Alive is judged after every scenario, on a new connection.
var Alive = Rule{
	ID: "alive", Req: "alive", Grade: Must, Clause: "operational",
	Text: "after the scenario the server still accepts connections and answers",
	Check: func(r *evidence.Record, p Profile) Finding {
		f := kept("a new connection that works, "+within(p.CloseTimeout), "answered in "+figures.Format(r.Alive.Took))
		switch {
		case r.Alive.Short:
			f.Outcome, f.Got = Moot, "not tried: "+r.Alive.Err
		case !r.Alive.Tried && r.Alive.Err != "":
			f.Outcome, f.Got = Moot, "not known: "+r.Alive.Err
		case !r.Alive.Tried:
			f.Outcome, f.Got = Moot, "not tried: the run was ending"
		case !r.Alive.OK:
			f.Outcome, f.Got = Breached, r.Alive.Err
		}
		return f
	},
}
