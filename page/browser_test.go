package page_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/finwait/finwait/harness"
	"github.com/finwait/finwait/page"
	"github.com/finwait/finwait/reference"
	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/scenarios"
	"github.com/finwait/finwait/servers"
)

// tab is a page of headless Chromium that notes what a page of finwait's must not
// do: a script error, a line on the console, a request to anywhere.
type tab struct {
	*testing.T
	ctx context.Context

	mu   sync.Mutex
	told []string
}

func open(t *testing.T) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("needs Chromium in $PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.NoSandbox)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.tell("script error: %+v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			b.tell("console: %s", e.Type)
		case *log.EventEntryAdded:
			b.tell("log: %s", e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "file:") {
				b.tell("request: %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, text := range b.told {
			t.Error(text)
		}
	})
	return b
}

func (b *tab) tell(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, fmt.Sprintf(format, args...))
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// call sends a command of the DevTools protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	}))
}

// value is that of a script.
func value[T any](b *tab, script string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// is looks at the value of a script, frame by frame, until it is what is wanted.
func (b *tab) is(script string, want any) {
	b.Helper()
	wanted := fmt.Sprint(want)
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`new Promise(done => {
		const until = performance.now() + 5000;
		const look = () => { const v = String(%s); v === %q || performance.now() > until ? done(v) : requestAnimationFrame(look) };
		look();
	})`, script, wanted), chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatal(err)
	}
	if got != wanted {
		b.Errorf("%s: %s, want %s", script, got, wanted)
	}
}

// file writes a page, and gives its URL and its size.
func file(t *testing.T, write func(io.Writer) error) (string, int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	if err := reports.WriteFile(path, write); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return "file://" + path, info.Size()
}

// catalogue is the report of a run of the whole catalogue.
var catalogue = sync.OnceValues(func() (*reports.Report, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		served <- reference.Serve(ctx, l, reference.Options{CloseTimeout: 500 * time.Millisecond, PingInterval: time.Second})
	}()
	defer func() { cancel(); <-served }()
	target := &servers.Target{URL: &url.URL{Scheme: "ws", Host: l.Addr().String(), Path: "/"}}
	batch, err := harness.Start(ctx, target, scenarios.All(), harness.Options{})
	if err != nil {
		return nil, err
	}
	return reports.New(batch.Wait()), nil
})

// whole is that report, with a shutdown.
func whole(t *testing.T) *reports.Report {
	t.Helper()
	r, err := catalogue()
	if err != nil {
		t.Fatal(err)
	}
	out := *r
	out.Scenarios = append(slices.Clone(r.Scenarios), stop())
	return &out
}

// loaded is how long the page took until it could be used, by the browser's own
// clock.
const loaded = `performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd`

func TestBrowserReport(t *testing.T) {
	b := open(t)
	r := whole(t)
	address, size := file(t, func(w io.Writer) error { return page.Report(w, r) })
	if size > 2_000_000 {
		t.Errorf("%d bytes", size)
	}
	b.do(chromedp.Navigate(address))
	took := value[float64](b, loaded)
	t.Logf("%d scenarios, %d bytes, usable after %.0f ms", len(r.Scenarios), size, took)
	if took <= 0 || took > 1000 {
		t.Errorf("usable after %.0f ms", took)
	}
	shown := `document.querySelectorAll("main details[id]:not([hidden])").length`
	status := `document.querySelector("output").textContent`
	b.is(shown, len(r.Scenarios))

	// The filter, by text, family, verdict and grade.
	b.do(chromedp.SendKeys(chromedp.CSS("input"), "sanity/echo"))
	b.is(status, "1 scenario")
	value[any](b, `document.querySelector("form").reset()`)
	b.do(chromedp.SendKeys(chromedp.CSS("[name=family]"), "linger"))
	families := 0
	for _, s := range r.Scenarios {
		if s.Family == "linger" {
			families++
		}
	}
	b.is(status, fmt.Sprintf("%d scenarios", families))
	b.do(chromedp.SendKeys(chromedp.CSS("[name=grade]"), "BUDGET"))
	b.is(`[...document.querySelectorAll("main details[id]:not([hidden])")].every(d => d.dataset.family === "linger" && d.dataset.grades.includes("BUDGET"))`, true)
	b.do(chromedp.SendKeys(chromedp.CSS("[name=verdict]"), "skip"))
	b.is(status, "0 scenarios")

	// A deep link opens its scenario, even where the filter hides it.
	value[any](b, `location.hash = "peer-close/code-1000"`)
	b.is(`document.activeElement.parentElement.id`, "peer-close/code-1000")
	b.is(`document.activeElement.parentElement.open`, true)
	b.is(shown, len(r.Scenarios))
	b.is(`document.activeElement.getBoundingClientRect().top >= 0 && document.activeElement.getBoundingClientRect().bottom <= innerHeight`, true)

	// An address that names nothing does nothing.
	for _, hash := range []string{"%", "%zz/x", "toString"} {
		value[any](b, fmt.Sprintf(`location.hash = %q`, hash))
		b.is(`document.activeElement.parentElement.id`, "peer-close/code-1000")
	}

	// The keyboard closes it.
	b.do(chromedp.KeyEvent(kb.Enter))
	b.is(`document.getElementById("peer-close/code-1000").open`, false)
	value[any](b, `document.querySelectorAll("[id='shutdown/mixed'], [id='peer-close/code-1000']").forEach(d => d.open = true)`)
	b.is(`document.querySelectorAll("figure svg text").length > 10`, true)
	b.contrast()
	b.fits()
	// the text of curves is not shrunk
	b.is(`[...document.querySelectorAll("figure svg")].filter(s => s.checkVisibility()).map(s => s.getScreenCTM().a)`, 1)
	b.is(`(() => {
		const cells = [...document.querySelectorAll(".sequence td:last-child")].filter(c => c.checkVisibility() && c.textContent.includes("ESTABLISHED"));
		const range = document.createRange(), text = cells[0].firstChild, from = text.data.indexOf("ESTABLISHED");
		range.setStart(text, from);
		range.setEnd(text, from + 11);
		return range.getClientRects().length;
	})()`, 1) // no state is broken
}

// contrast looks at the colours of every text, in light and dark: WCAG 2.2, 1.4.3
// wants 4.5 to 1.
func (b *tab) contrast() {
	b.Helper()
	const worst = `(() => {
		const parse = c => c.match(/[\d.]+/g).map((v, i) => c.startsWith("color") && i < 3 ? 255 * v : Number(v));
		const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
		const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c } return [255, 255, 255] };
		let least = 99, where = "";
		for (const e of document.querySelectorAll("h1, h2, p, dt, dd, a, summary, .verdict, .short, td, th, label, output, caption, button, svg text")) {
			if (!e.textContent.trim()) continue;
			const drawn = e.closest("svg")?.querySelector(".ground");
			const a = light(parse(drawn ? getComputedStyle(e).fill : getComputedStyle(e).color)), b = light(drawn ? parse(getComputedStyle(drawn).fill) : ground(e));
			const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
			if (ratio < least) { least = ratio; where = e.outerHTML.slice(0, 80) }
		}
		return least < 4.5 ? least + " " + where : "good";
	})()`
	grounds := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		call(b, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		b.is(worst, "good")
		grounds[value[string](b, `getComputedStyle(document.body).backgroundColor`)] = true
	}
	if len(grounds) != 2 {
		b.Errorf("light and dark have the same ground: %v", grounds)
	}
}

// fits tells whether a phone shows the page without scrolling sideways.
func (b *tab) fits() {
	b.Helper()
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	b.is(`document.documentElement.scrollWidth <= innerWidth`, true)
}

func TestBrowserMatrix(t *testing.T) {
	b := open(t)
	r := whole(t)
	var names []string
	for i := range 24 {
		names = append(names, fmt.Sprintf("target-%d", i))
	}
	address, size := file(t, func(w io.Writer) error {
		return page.Matrix(w, compared(r, names...), func(string) *reports.Report { return r })
	})
	t.Logf("%d targets, %d bytes", len(names), size)
	if size > 10_000_000 {
		t.Errorf("%d bytes", size)
	}
	b.do(chromedp.Navigate(address + "#target-3/linger/no-fin"))
	title := `document.querySelector("dialog[open] h2")?.textContent`
	b.is(title, "target-3: linger/no-fin")
	b.is(`document.querySelectorAll("dialog .sequence tbody tr").length > 3`, true)
	b.contrast()
	b.do(chromedp.KeyEvent(kb.Escape))
	b.is(title, "undefined")

	// The arrow keys move within the map, Enter opens a cell.
	b.is(`document.activeElement.getAttribute("href")`, "#target-3/linger/no-fin")
	b.do(chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	b.is(title, "target-4: linger/no-fin")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.is(`document.activeElement.getAttribute("aria-label")`, "target-4, linger/no-fin: pass")

	// An address that names nothing opens nothing.
	for _, hash := range []string{"%zz/x", "target-3/%", "target-3/toString", "toString/x", "target-3"} {
		opened, err := chromedp.Run(b.ctx,
			chromedp.Evaluate[bool](fmt.Sprintf(`(async () => { location.hash = %q; await go(); return dialog.open })()`,
				hash), chromedp.EvalAwaitPromise))
		if err != nil || opened {
			t.Errorf("#%s opens a cell, or: %v", hash, err)
		}
	}

	// The filter.
	families := `new Set([...document.querySelectorAll(".heat tbody tr[data-family]:not([hidden])")].map(r => r.dataset.family)).values().toArray().join()`
	b.do(chromedp.SendKeys(chromedp.CSS("input"), "BAD-close"))
	b.is(families, "bad-close")
	value[any](b, `document.querySelector("form").reset()`)
	b.do(chromedp.SendKeys(chromedp.CSS("[name=verdict]"), "fail"))
	b.is(families, "shutdown")
	b.is(`document.querySelector("output").textContent`, "1 scenario")
	b.contrast()
	b.fits()
}

func TestBrowserInjection(t *testing.T) {
	r := injected(t)
	for name, write := range map[string]func(io.Writer) error{
		"report": func(w io.Writer) error { return page.Report(w, r) },
		"matrix": func(w io.Writer) error {
			return page.Matrix(w, compared(r, "target"), func(string) *reports.Report { return r })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			address, _ := file(t, write)
			b.do(chromedp.Navigate(address + "#target/" + r.Scenarios[0].ID))
			if name == "matrix" {
				b.is(`document.querySelector("dialog").open`, true)
			}
			value[any](b, `document.querySelectorAll("details").forEach(d => d.open = true)`)
			b.is(`document.body.innerText.includes("<img src=//127.0.0.1:9/x onerror")`, true)
			b.is(`document.images.length + document.querySelectorAll("dialog script, main script").length`, 0)
			b.is(`document.title.includes("owned'") || document.title === "finwait: real servers"`, true)
		})
	}
}
