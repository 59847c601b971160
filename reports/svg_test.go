package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/finwait/finwait/peers"
)

// The drawing is well-formed whatever stands in it, and shows each kind.
func TestSVG(t *testing.T) {
	curves := []Curve{
		{Kind: "polite", N: 50, Last: 0.01, Steps: []CurveStep{{At: 0.005, Survival: 0.5}, {At: 0.01, Survival: 0}}},
		{Kind: `<b onclick="x">` + "\x1b", N: 3, Last: 35, Steps: []CurveStep{{At: 2, Survival: 0.66}}},
		{Kind: "none"},
	}
	if n := len(peers.Kinds); len(strokes) < n {
		t.Errorf("%d strokes for %d kinds of peer", len(strokes), n)
	}
	var b bytes.Buffer
	if err := SVG(&b, "shutdown/mixed & <more>", "exit after 35 s", curves); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	paths, circles := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if e, ok := token.(xml.StartElement); ok {
			switch e.Name.Local {
			case "path":
				paths++
			case "circle":
				circles++
			case "b":
				t.Error("injected")
			}
		}
	}
	if paths != 3 || circles != 2 {
		t.Errorf("%d curves, %d circles", paths, circles)
	}
}

// An axis ends with its data, and its last label inside the drawing.
func TestTicks(t *testing.T) {
	for end, want := range map[float64][]float64{
		0.001: {0, 0.0002, 0.0004, 0.0006, 0.0008, 0.001}, 0.0127: {0, 0.005, 0.01}, 1: {0, 0.2, 0.4, 0.6, 0.8, 1},
		2.01: {0, 0.5, 1, 1.5, 2}, 35: {0, 10, 20, 30}, 99: {0, 20, 40, 60, 80}, 100: {0, 20, 40, 60, 80, 100},
	} {
		got := ticks(end)
		if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < end/1000 }) {
			t.Errorf("until %v: %v, want %v", end, got, want)
		}
	}
	var b bytes.Buffer
	if err := SVG(&b, "", "", []Curve{{N: 1, Last: 2}}); err != nil {
		t.Fatal(err)
	}
	if want := `x="704.0" y="254.0" text-anchor="end">2.00 s</text>`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in\n%s", want, b.String())
	}
}
