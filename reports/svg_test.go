package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
)

// The drawing is well-formed whatever stands in it, and shows each kind.
func TestSVG(t *testing.T) {
	curves := []Curve{
		{Kind: "polite", N: 50, Last: 0.01, Steps: []CurveStep{{At: 0.005, Survival: 0.5}, {At: 0.01, Survival: 0}}},
		{Kind: `<b onclick="x">` + "\x1b", N: 3, Last: 35, Steps: []CurveStep{{At: 2, Survival: 0.66}}},
		{Kind: "none"},
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
	for in, want := range map[float64]float64{0: 0, 0.009: 0.01, 1: 2, 2.01: 5, 35: 50, 99: 100} {
		if got := niceAbove(in); got < want*0.999 || got > want*1.001 {
			t.Errorf("above %v: %v, want %v", in, got, want)
		}
	}
}
