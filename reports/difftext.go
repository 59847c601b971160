package reports

import (
	"fmt"
	"io"
	"strings"
)

// Text writes the changes, a line each.
func (d *Diff) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "old  %s\nnew  %s\n", OneLine(d.Old), OneLine(d.New))
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note %s\n", OneLine(n))
	}
	trend := ""
	for _, c := range d.Changes {
		if c.Trend != trend {
			trend = c.Trend
			fmt.Fprintf(&b, "\n%s\n", trend)
		}
		fmt.Fprintf(&b, "  %s: %s → %s\n", OneLine(c.ID), OneLine(Clip(c.Old, 300)), OneLine(Clip(c.New, 300)))
		if c.Unmeasured != "" {
			fmt.Fprintf(&b, "    %s\n", OneLine(Clip(c.Unmeasured, 300)))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", d.totals())
	_, err := io.WriteString(w, b.String())
	return err
}

// totals is the diff in a sentence.
func (d *Diff) totals() string {
	return fmt.Sprintf("%d worse, %d better, %d changed otherwise; %s without a change.", d.count(worse),
		d.count(better), d.count(other), count(d.Same))
}

// Markdown writes the changes for a comment on a pull request, in [CommentMost]
// bytes.
func (d *Diff) Markdown(w io.Writer) error {
	b := limited{most: CommentMost}
	fmt.Fprintf(&b, "## finwait: %s\n\nOld: %s. New: %s.\n", d.totals(), MarkdownCode(d.Old), MarkdownCode(d.New))
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "\nNote: %s\n", MarkdownCode(Clip(n, 1000)))
	}
	if len(d.Changes) > 0 {
		b.WriteString("\n| | scenario | old | new |\n| --- | --- | --- | --- |\n")
	}
	for _, c := range d.Changes {
		b.row("| %s | %s | %s | %s |\n", c.Trend, MarkdownCode(Clip(c.ID, 300)), MarkdownCode(Clip(c.Old, 300)),
			MarkdownCode(Clip(strings.TrimSuffix(c.New+": "+c.Unmeasured, ": "), 300)))
	}
	return b.end(w, "the JSON file has them")
}

// JSON writes the diff.
func (d *Diff) JSON(w io.Writer) error {
	return NewJSON(w).Encode(d)
}
