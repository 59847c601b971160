package page_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reports"
)

// printed is how many rows of tables a page has on paper: those that the tagged
// PDF names, which leaves out what was cut off.
func (b *tab) printed() (rows int) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		pdf, err := cdp.Call(ctx, t, cdppage.PrintToPDF, cdppage.PrintToPDFParams{GenerateTaggedPDF: new(true)})
		rows = bytes.Count(pdf.Data, []byte("/S /TR"))
		return err
	}))
	return rows
}

// A matrix is on paper as a whole; where a cell is open, it is that alone, with
// its heading.
func TestPrintMatrix(t *testing.T) {
	b := open(t)
	r := whole(t)
	address, _ := file(t, func(w io.Writer) error {
		return page.Matrix(w, compared(r, "one", "two"), func(string) *reports.Report { return r })
	})
	b.do(chromedp.Navigate(address))
	if rows, want := b.printed(), value[int](b, `document.querySelectorAll("main tr").length`); rows != want || rows < len(r.Scenarios) {
		t.Errorf("%d of %d rows are printed", rows, want)
	}
	value[any](b, `location.hash = "one/linger/no-fin"`)
	b.is(`document.querySelector("dialog[open] h2")?.textContent`, "one: linger/no-fin")
	value[any](b, `(() => { const t = document.querySelector("dialog .sequence tbody"); for (let i = 0; i < 5; i++) t.append(t.cloneNode(true)) })()`)
	if rows, want := b.printed(), value[int](b, `document.querySelectorAll("dialog tr").length`); rows != want || rows < 20 {
		t.Errorf("%d of %d rows of a cell are printed", rows, want)
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	b.is(`document.querySelector("dialog h2").checkVisibility() && !document.querySelector("main").checkVisibility()`, true)
	b.is(`getComputedStyle(document.querySelector(".sequence .in")).printColorAdjust`, "exact")
}

// Paper is light, and has what failed open.
func TestPrintReport(t *testing.T) {
	b := open(t)
	r := example(t)
	address, _ := file(t, func(w io.Writer) error { return page.Report(w, r) })
	b.do(chromedp.Navigate(address))
	if rows := b.printed(); rows < 10 {
		t.Errorf("%d rows are printed", rows)
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	b.is(`getComputedStyle(document.body).backgroundColor`, "rgb(255, 255, 255)")
	b.is(`getComputedStyle(document.querySelector("figure .ground")).fill`, "rgb(255, 255, 255)")
}
