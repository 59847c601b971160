package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/finwait/finwait/internal/figures"
)

// The look of a curve: a colour with a contrast of 3 to 1 on light and on dark
// (WCAG 2.2, 1.4.11), and a dash pattern, so that colour alone tells nothing. There
// is one for each kind of peer.
var strokes = []struct{ colour, dash string }{
	{"#2f81f7", ""}, {"#c26d18", "6 3"}, {"#2f9150", "2 3"}, {"#c0508f", "10 3 2 3"}, {"#7d7d7d", "4 2 1 2"}, {"#8a63d2", "1 3"},
}

// No grey is legible on both: a drawing has its own ground, of the reader's
// scheme, wherever it stands.
const schemes = `<style>@media screen and (prefers-color-scheme: dark) { .curves { fill: #a3adb8 } .curves .ground { fill: #14171a } }</style>
<rect class="ground" width="100%" height="100%" fill="#fff"/>`

// SVG writes the survival curves of a crowd as a drawing: the share of the
// server's sockets that were alive, over the time since the stop; a circle where
// sockets were still alive when finwait stopped looking. A curve falls at an unknown moment
// within each of its shaded parts. The axis ends with the longest curve. note stands below it.
func SVG(w io.Writer, title, note string, curves []Curve) error {
	const (
		width, height            = 720.0, 300.0
		left, right, top, bottom = 52.0, 16.0, 40.0, 64.0
	)
	end, shaded := 0.0, false
	for _, c := range curves {
		end, shaded = max(end, c.Last), shaded || c.Estimator == turnbull
	}
	end = max(end, 0.001)
	if shaded {
		note += "; Turnbull's estimate: falls within the shaded parts"
	}
	x := func(t float64) float64 { return left + (width-left-right)*t/end }
	y := func(s float64) float64 { return top + (height-top-bottom)*(1-s) }
	var b strings.Builder
	fmt.Fprintf(&b,
		`<svg xmlns="http://www.w3.org/2000/svg" class="curves" viewBox="0 0 %.0f %.0f" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#5b6470">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n%s\n<text x=\"%.0f\" y=\"20\" font-size=\"14\">%s</text>\n", svgText(title),
		schemes, left, svgText(title))
	for i := range 5 {
		s := float64(i) / 4
		fmt.Fprintf(&b,
			`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#7d7d7d" stroke-opacity="0.3"/><text x="%.1f" y="%.1f" text-anchor="end">%.0f %%</text>`+"\n",
			left, y(s), width-right, y(s), left-6, y(s)+4, 100*s)
	}
	for _, t := range ticks(end) {
		anchor := "middle"
		if x(t) > width-2*right { // half of it would be cut off
			anchor = "end"
		}
		fmt.Fprintf(&b,
			`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#7d7d7d"/><text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n",
			x(t), y(0), x(t), y(0)+4, x(t), y(0)+18, anchor, svgText(figures.Format(duration(t))))
	}
	for i, c := range curves {
		stroke := strokes[i%len(strokes)]
		alive, path := 1.0, fmt.Sprintf("M%.1f %.1f", x(0), y(1))
		for _, s := range c.Steps {
			if s.After != nil {
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" fill-opacity="0.25"/>`+"\n",
					x(*s.After), y(alive), max(x(s.At)-x(*s.After), 1), max(y(s.Survival)-y(alive), 1), stroke.colour)
				path += fmt.Sprintf("H%.1fM%.1f %.1f", x(*s.After), x(s.At), y(s.Survival))
			} else {
				path += fmt.Sprintf("H%.1fV%.1f", x(s.At), y(s.Survival))
			}
			alive = s.Survival
		}
		path += fmt.Sprintf("H%.1f", x(c.Last))
		style := fmt.Sprintf(`stroke="%s" stroke-width="2" stroke-dasharray="%s" fill="none"`, stroke.colour, stroke.dash)
		fmt.Fprintf(&b, `<path d="%s" %s/>`+"\n", path, style)
		if alive > 0 {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" %s/>`+"\n", x(c.Last), y(alive), strings.Replace(style, stroke.dash, "", 1))
		}
		at, row := left+float64(i)*(width-left-right)/float64(len(curves)), height-22
		if len(curves) > 5 { // in two rows
			columns := (len(curves) + 1) / 2
			at, row = left+float64(i%columns)*(width-left-right)/float64(columns), row-10+14*float64(i/columns)
		}
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/><text x="%.1f" y="%.1f">%s (%d)</text>`+"\n",
			at, row-4, at+26, row-4, style, at+32, row, svgText(c.Kind), c.N)
	}
	fmt.Fprintf(&b, "<text x=\"%.0f\" y=\"%.0f\">%s</text>\n</svg>\n", left, height-4, svgText(note))
	_, err := io.WriteString(w, b.String())
	return err
}

// ticks are the multiples of 1, 2, 5, 10, … up to the end of an axis: at least
// three, at most six.
func ticks(end float64) (out []float64) {
	step := math.Pow(10, math.Floor(math.Log10(end/5)))
	for _, n := range []float64{1, 2, 5, 10} {
		if n*step >= end/5*0.9999 {
			step *= n
			break
		}
	}
	for i := 0; float64(i)*step <= end*1.0001; i++ {
		out = append(out, float64(i)*step)
	}
	return out
}

func svgText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(OneLine(s))) // a builder takes everything
	return b.String()
}
