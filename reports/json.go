package reports

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/finwait/finwait/peers"
	"github.com/finwait/finwait/rules"
)

// JSON writes a report as JSON.
func JSON(w io.Writer, r *Report) error { return NewJSON(w).Encode(r) }

// Read reads a JSON report of any version 1, of a run or of a crowd: one of the two is
// not nil. The error is one line: what was read is no report, or is one of another
// format or version.
func Read(r io.Reader) (*Report, *Crowd, error) {
	return read(r, Format, CrowdFormat)
}

// ReadJSON reads a report that [JSON] wrote.
func ReadJSON(r io.Reader) (*Report, error) {
	out, _, err := read(r, Format)
	return out, err
}

func read(r io.Reader, formats ...string) (*Report, *Crowd, error) {
	report, crowd, err := decode(r, formats)
	if err != nil {
		return nil, nil, fmt.Errorf("read a finwait report: %w", err)
	}
	return report, crowd, nil
}

func decode(r io.Reader, formats []string) (report *Report, crowd *Crowd, err error) {
	var raw json.RawMessage
	d := json.NewDecoder(r)
	if err := d.Decode(&raw); err != nil {
		return nil, nil, inWords(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("more follows behind the report: give each report a file of its own")
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, nil, inWords(err)
	}
	if !slices.Contains(formats, head.Format) || head.Version != Version {
		return nil, nil, formatError(head.Format, head.Version, formats)
	}
	if head.Format == CrowdFormat {
		crowd = new(Crowd)
		if err = json.Unmarshal(raw, crowd); err == nil {
			err = checkNumbers(crowd)
		}
		return nil, crowd, inWords(err)
	}
	report = new(Report)
	if err = json.Unmarshal(raw, report); err == nil {
		err = cmp.Or(checkNumbers(report), report.checkVerdicts())
	}
	if err != nil {
		return nil, nil, inWords(err)
	}
	report.complete()
	return report, nil, nil
}

// inWords makes an error of encoding/json one that the user of a file understands.
func inWords(err error) error {
	wrong, moment := new(json.UnmarshalTypeError), new(time.ParseError)
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.As(err, new(*json.SyntaxError)), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("it is not JSON: %w", err)
	case errors.As(err, &wrong) && wrong.Field == "":
		return fmt.Errorf("it is a JSON %s, and no object", wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("its %s is a JSON %s, which finwait does not write there", Clip(wrong.Field, 100), Clip(wrong.Value, 40))
	case errors.As(err, &moment):
		return fmt.Errorf("%+q is no time such as 2027-01-31T12:00:00Z", Clip(moment.Value, 40))
	}
	return err
}

// formatError says which format and version a file has, and which can be read here.
func formatError(format string, version int, formats []string) error {
	readable := make([]string, len(formats))
	for i, f := range formats {
		readable[i] = fmt.Sprintf("%q", f)
	}
	text := fmt.Sprintf("format %+q, version %d is not %s, version %d", Clip(format, 40), version, strings.Join(readable, " or "), Version)
	switch by := map[string]string{Format: "run", CrowdFormat: "crowd", DiffFormat: "diff", "finwait-matrix": "matrix"}[format]; {
	case format == "":
		text += ": finwait run --json writes that"
	case slices.Contains(formats, format) && version > Version:
		text += ": a later finwait wrote it, which can read it"
	case by != "":
		text += ": it was written by finwait " + by
	}
	return errors.New(text)
}

// checkVerdicts is an error where a scenario has a verdict that no report could show.
func (r *Report) checkVerdicts() error {
	for _, s := range r.Scenarios {
		if !slices.Contains([]string{Pass, Fail, Warn, Info, Skip, Errored, Known}, s.Verdict) {
			return fmt.Errorf("scenario %+q has the verdict %+q, which this finwait does not know", Clip(s.ID, 100), Clip(s.Verdict, 40))
		}
	}
	return nil
}

// complete fills in what an earlier finwait did not write, where the rest of the report
// tells it, and notes what the report lacks.
func (r *Report) complete() {
	earlier, unweighed := false, false
	for _, s := range r.Scenarios {
		earlier = earlier || s.Exit != nil && !s.Stops || s.crowdUndated()
		unweighed = unweighed || slices.ContainsFunc(s.Findings, func(f Finding) bool { return f.Weight == "" })
	}
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		if earlier {
			s.Stops = s.Stops || s.Exit != nil || s.Family == "shutdown"
			s.Alone = s.Alone || !s.Stops && len(s.Crowd) > 0
		}
		s.completeFindings(r.Profile.Strict)
		s.completeTrace()
	}
	if earlier {
		r.Lacks = append(r.Lacks, "it does not say when the peers of a crowd were connected: "+
			"those that connect during a stop do not count as the longest hang")
	}
	if unweighed {
		r.Lacks = append(r.Lacks, "it does not say what a breach of each rule weighs: that of the rule's grade is taken")
	}
}

// crowdUndated tells whether peers of the crowd were connected, and none says when.
func (s *Scenario) crowdUndated() bool {
	connected := func(m Member) bool { return m.Status > 0 || m.Held != nil }
	dated := func(m Member) bool { return m.Connected != nil }
	return slices.ContainsFunc(s.Crowd, connected) && !slices.ContainsFunc(s.Crowd, dated)
}

// lapsedFailure matches what [Scenario.Known] says of breaches that are excused no more.
var lapsedFailure = regexp.MustCompile(`(?:^|; )([^;]+?) was excused until (\d{4}-\d\d-\d\d \(.*?\)), no longer`)

// completeFindings fills in the weights of a strict run, and until when a breach was
// excused that is excused no more.
func (s *Scenario) completeFindings(strict bool) {
	lapsed := map[string]string{} // by rule
	for _, match := range lapsedFailure.FindAllStringSubmatch(s.Known, -1) {
		for _, rule := range strings.Split(match[1], ", ") {
			lapsed[rule] = match[2]
		}
	}
	for i := range s.Findings {
		f := &s.Findings[i]
		if f.Weight == "" && strict {
			f.Weight = string(rules.Fails)
		}
		if f.Outcome == breached && !f.listed() {
			f.Lapsed = lapsed[f.Rule]
		}
	}
}

// completeTrace fills in the kinds of events that tell when the peer was dark, of which
// earlier traces have the words alone.
func (s *Scenario) completeTrace() {
	kinds := map[string]peers.EventKind{"gone dark": peers.EventDark, "back from the dark": peers.EventDarkEnd}
	for i := range s.Trace {
		if e := &s.Trace[i]; e.Kind == "" && e.Dir == string(peers.Local) {
			e.Kind = string(kinds[e.What])
		}
	}
}
