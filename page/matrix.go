package page

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/finwait/finwait/matrix"
	"github.com/finwait/finwait/reports"
)

type matrixPage struct {
	*matrix.Matrix
	Columns  []column
	Lines    []line
	Families []string
	Verdicts []string // the verdicts that occur in a cell
	Titles   []string // the names of all verdicts, in the order of the page
	Unknown  []string // the targets that could not be measured, with the reasons
	Blobs    []blob
}

// column is the column of a target.
type column struct {
	*matrix.Outcome
	Counts []int // how often each verdict occurs, in the order of the page
}

// line is the row of a scenario, with a cell for each target.
type line struct {
	ID, Family string
	Cells      []cell
}

type cell struct {
	Verdict, Letter string // empty: the scenario was not run
	Name            string // target, scenario and verdict, for screen readers
	Link            template.URL
}

// blob is a JSON object that maps the ids of a target's scenarios to their HTML. It is
// compressed, because it makes up most of the page.
type blob struct {
	Target string
	Data   template.HTML // base64
}

// Matrix writes a heat map of targets and scenarios. Each cell opens the trace of its scenario.
// whole returns the report of a target's first run. If that is nil, the page shows only what
// the matrix contains.
func Matrix(w io.Writer, m *matrix.Matrix, whole func(target string) *reports.Report) error {
	p := matrixPage{Matrix: m}
	cells := map[string]map[string]cell{} // by id and target
	var ids []string
	for _, o := range m.Targets {
		if o.Error != "" {
			p.Unknown = append(p.Unknown, o.Name+": "+o.Error)
			continue
		}
		count, c := o.Count(), column{Outcome: o}
		for _, v := range verdictOrder {
			c.Counts = append(c.Counts, count[v.verdict])
		}
		p.Columns = append(p.Columns, c)
		for _, c := range o.Cells {
			if cells[c.ID] == nil {
				cells[c.ID] = map[string]cell{}
				ids = append(ids, c.ID)
			}
			word := verdictWord(c.Verdict)
			cells[c.ID][o.Name] = cell{
				c.Verdict, strings.ToUpper(word[:min(1, len(word))]), fmt.Sprintf("%s, %s: %s", o.Name, c.ID, word),
				link(o.Name + "/" + c.ID),
			}
		}
		b, err := fragments(o, whole(o.Name))
		if err != nil {
			return err
		}
		p.Blobs = append(p.Blobs, b)
	}
	for _, id := range ids {
		family, _, _ := strings.Cut(id, "/")
		l := line{ID: id, Family: family}
		for _, c := range p.Columns {
			l.Cells = append(l.Cells, cells[id][c.Name])
		}
		p.Lines = append(p.Lines, l)
		if !slices.Contains(p.Families, family) {
			p.Families = append(p.Families, family)
		}
	}
	for i, v := range verdictOrder {
		p.Titles = append(p.Titles, v.counted)
		if slices.ContainsFunc(p.Columns, func(c column) bool { return c.Counts[i] > 0 }) {
			p.Verdicts = append(p.Verdicts, v.verdict)
		}
	}
	return write(w, "finwait: real servers", "matrix", p)
}

// fragments returns the HTML of each scenario of a target.
func fragments(o *matrix.Outcome, run *reports.Report) (blob, error) {
	known := map[string]*reports.Scenario{}
	if run != nil {
		for i, s := range run.Scenarios {
			known[s.ID] = &run.Scenarios[i]
		}
	}
	out := map[string]string{}
	for _, c := range o.Cells {
		s := known[c.ID]
		if s == nil || s.Verdict != c.Verdict {
			s = scenarioOf(c)
		}
		f := newScenario(s, o.Has)
		f.Link = link(o.Name + "/" + c.ID)
		for i, b := range f.Breached {
			if at := slices.IndexFunc(c.Breaches, func(o matrix.Breach) bool { return o.Rule == b.Rule }); at >= 0 {
				f.Breached[i].Because = c.Breaches[at].Because
			}
		}
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, "scenario.html", f); err != nil {
			return blob{}, err
		}
		out[c.ID] = b.String()
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	if err := json.NewEncoder(z).Encode(out); err != nil {
		return blob{}, err
	}
	if err := z.Close(); err != nil {
		return blob{}, err
	}
	return blob{o.Name, template.HTML(base64.StdEncoding.EncodeToString(b.Bytes()))}, nil
}

// scenarioOf returns the part of a scenario's report that its cell of the matrix contains.
func scenarioOf(c *matrix.Cell) *reports.Scenario {
	s := c.Scenario()
	if c.Event != nil {
		e := *c.Event
		e.At = nil // the matrix has no trigger to count from
		s.Events = []reports.AppEvent{e}
	}
	if c.Ending != "" {
		s.Wire = &reports.Wire{Status: http.StatusSwitchingProtocols, Ending: c.Ending, EndedAt: c.EndedAt, Stopped: c.EndedAt}
		if c.Wire != nil {
			s.Wire.Closes = []reports.Close{*c.Wire}
		}
	}
	if c.Held != nil {
		s.Socket = &reports.Socket{Observed: true, By: c.By, Held: c.Held}
	}
	return s
}
