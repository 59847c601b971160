package reports

import "testing"

// TIME_WAIT is no orphan.
func TestSocketLine(t *testing.T) {
	got := socketLine(&Socket{Observed: true, Held: &Survival{Until: 0.002}, States: []State{
		{At: -0.001, Name: "ESTABLISHED"}, {Name: "ESTABLISHED", Held: true}, {At: 0.002, Name: "FIN_WAIT2"}, {At: 0.003,
			Name: "TIME_WAIT"},
	}})
	want := "-1.00 ms ESTABLISHED (not accepted yet), 0.00 ms ESTABLISHED, 2.00 ms FIN_WAIT2 (orphan), 3.00 ms TIME_WAIT, held 2.00 ms"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
