package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/finwait/finwait/harness"
)

// The look of a curve: a colour that is legible on light and dark, and a dash
// pattern, so that colour alone tells nothing.
var strokes = []struct{ colour, dash string }{
	{"#2f81f7", ""}, {"#d9822b", "6 3"}, {"#3fa45b", "2 3"}, {"#c0508f", "10 3 2 3"}, {"#7d7d7d", "4 2 1 2"},
}

// SVG writes the survival curves of a crowd as a drawing: the share of the
// server's sockets that were alive, over the time since the stop; a circle where
// sockets were still alive when finwait stopped looking. note stands below it.
func SVG(w io.Writer, title, note string, curves []Curve) error {
	const (
		width, height            = 720.0, 300.0
		left, right, top, bottom = 52.0, 16.0, 40.0, 64.0
	)
	end := 0.0
	for _, c := range curves {
		end = max(end, c.Last)
	}
	end = max(niceAbove(end), 0.001)
	x := func(t float64) float64 { return left + (width-left-right)*min(t/end, 1) }
	y := func(s float64) float64 { return top + (height-top-bottom)*(1-s) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#7d7d7d">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<text x=\"%.0f\" y=\"20\" font-size=\"14\">%s</text>\n", svgText(title), left, svgText(title))
	for i := range 5 {
		s := float64(i) / 4
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#7d7d7d" stroke-opacity="0.3"/><text x="%.1f" y="%.1f" text-anchor="end">%.0f %%</text>`+"\n",
			left, y(s), width-right, y(s), left-6, y(s)+4, 100*s)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", x(end*s), y(0)+18, svgText(harness.Format(duration(end*s))))
	}
	for i, c := range curves {
		stroke := strokes[i%len(strokes)]
		alive, path := 1.0, fmt.Sprintf("M%.1f %.1f", x(0), y(1))
		for _, s := range c.Steps {
			path += fmt.Sprintf("H%.1fV%.1f", x(s.At), y(s.Survival))
			alive = s.Survival
		}
		path += fmt.Sprintf("H%.1f", x(c.Last))
		style := fmt.Sprintf(`stroke="%s" stroke-width="2" stroke-dasharray="%s" fill="none"`, stroke.colour, stroke.dash)
		fmt.Fprintf(&b, `<path d="%s" %s/>`+"\n", path, style)
		if alive > 0 {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" %s/>`+"\n", x(c.Last), y(alive), strings.Replace(style, stroke.dash, "", 1))
		}
		at := left + float64(i)*(width-left-right)/float64(max(len(curves), 1))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/><text x="%.1f" y="%.1f">%s (%d)</text>`+"\n",
			at, height-26, at+26, height-26, style, at+32, height-22, svgText(c.Kind), c.N)
	}
	fmt.Fprintf(&b, "<text x=\"%.0f\" y=\"%.0f\">%s</text>\n</svg>\n", left, height-4, svgText(note))
	_, err := io.WriteString(w, b.String())
	return err
}

// niceAbove is the next of 1, 2, 5, 10, … above t.
func niceAbove(t float64) float64 {
	if !(t > 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(t)))
	for _, n := range []float64{1, 2, 5, 10} {
		if n*unit >= t*1.0001 {
			return n * unit
		}
	}
	return 10 * unit
}

func svgText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(OneLine(s))) // a builder takes everything
	return b.String()
}
