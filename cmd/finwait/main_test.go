package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/finwait/finwait/reference"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"finwait": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts plays testdata/*.txt. Each script has a right server at $URL, the
// same over TLS at $TLS with its certificate in cert.pem, one that answers 404
// at $NOTFOUND, and one whose Close reason is hostile at $HOSTILE.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			certificate, text := selfSigned(t)
			if err := os.WriteFile(filepath.Join(e.WorkDir, "cert.pem"), text, 0o600); err != nil {
				return err
			}
			plain, secure := listen(t), tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{certificate}})
			for _, l := range []net.Listener{plain, secure} {
				serveReference(t, l)
			}
			notFound := httptest.NewServer(http.NotFoundHandler())
			e.Defer(notFound.Close)
			e.Setenv("URL", "ws://"+plain.Addr().String()+"/")
			e.Setenv("TLS", "wss://"+secure.Addr().String()+"/")
			e.Setenv("NOTFOUND", strings.Replace(notFound.URL, "http", "ws", 1)+"/")
			e.Setenv("HOSTILE", "ws://"+hostile(t)+"/")
			e.Setenv("REPO", repo(t))
			return nil
		},
	})
}

func repo(t *testing.T) string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveReference(t *testing.T, l net.Listener) {
	ctx := t.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = reference.Serve(ctx, l, reference.Options{CloseTimeout: 500 * time.Millisecond, PingInterval: time.Second})
	}()
	t.Cleanup(func() { <-done })
}

// hostile answers everything with a Close whose reason breaks what it can.
func hostile(t *testing.T) string {
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := ws.Upgrade(c); err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 100))
				_, _ = c.Write(ws.MustCompileFrame(ws.NewCloseFrame([]byte("\x03\xe8\x1b[2J]]></failure>\x00\xff"))))
			}()
		}
	}()
	return l.Addr().String()
}

func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// What a real run writes is what docs/report.schema.json says.
func TestRealReportsFitTheSchema(t *testing.T) {
	l := listen(t)
	serveReference(t, l)
	file := filepath.Join(t.TempDir(), "report.json")
	var stdout, stderr bytes.Buffer
	code := Main([]string{"run", "ws://" + l.Addr().String() + "/", "--skip", "abnormal/outage-5s", "--close-timeout", "800ms",
		"--patience", "4s", "--json", file}, &stdout, &stderr)
	if code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, stdout.String(), stderr.String())
	}
	fits(t, file)
}

func fits(t *testing.T, file string) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(repo(t), "docs", "report.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	value, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

// An interrupt ends the run at once, with whole reports and exit status 2.
func TestInterrupt(t *testing.T) {
	exe, err := exec.LookPath("finwait") // where testscript.Main has put it
	if err != nil {
		t.Skip("needs the finwait command on PATH:", err)
	}
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() { // accepts and upgrades, and then does nothing at all
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = ws.Upgrade(c) }()
		}
	}()
	dir := t.TempDir()
	cmd := exec.Command(exe, "run", "ws://"+l.Addr().String()+"/", "--only", "abnormal/vanish-idle", "--only", "peer-close/code-1000",
		"--junit", filepath.Join(dir, "junit.xml"), "--json", filepath.Join(dir, "report.json"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 100)
	if _, err := out.Read(first); err != nil { // the run is under way
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Skip("needs signals:", err)
	}
	for err == nil {
		_, err = out.Read(first)
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != exitNotDone || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit %d, %s", cmd.ProcessState.ExitCode(), stderr.String())
	}
	for name, want := range map[string]string{"junit.xml": "</testsuites>", "report.json": `"stopped": "interrupted`} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: %v, %d bytes without %q", name, err, len(text), want)
		}
	}
	fits(t, filepath.Join(dir, "report.json"))
}
