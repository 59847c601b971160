package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/finwait/finwait/internal/quiet"
	"github.com/finwait/finwait/reference"
)

// TestMain lets the scripts wait side by side. It also lets the test binary be the commands that they run.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testscript.Main(new(quiet.Machine).Tests(m), map[string]func(){
		"finwait": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
		"answers": answers,
	})
}

// TestScripts plays testdata/*.txt. Each script has a right server at $URL, the
// same over TLS at $TLS with its certificate in cert.pem, both by the wrong scheme
// at $WS_TO_TLS and $WSS_TO_PLAIN, one that answers 404
// at $NOTFOUND, a port that nobody listens on at $FREE, and the commands of
// commands_test.go.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "hostile": hostileServer,
			"refserver": refserver, "fits": fitsSchema, "login": login},
		Setup: func(e *testscript.Env) error {
			certificate, text := selfSigned(t)
			if err := os.WriteFile(filepath.Join(e.WorkDir, "cert.pem"), text, 0o600); err != nil {
				return err
			}
			plain, secure, free := listen(t), tls.NewListener(listen(t),
				&tls.Config{Certificates: []tls.Certificate{certificate}}), listen(t)
			for _, l := range []net.Listener{plain, secure} {
				serveReference(t, l)
			}
			notFound := httptest.NewServer(http.NotFoundHandler())
			e.Defer(notFound.Close)
			e.Setenv("URL", "ws://"+plain.Addr().String()+"/")
			e.Setenv("TLS", "wss://"+secure.Addr().String()+"/")
			e.Setenv("WS_TO_TLS", "ws://"+secure.Addr().String()+"/")
			e.Setenv("WSS_TO_PLAIN", "wss://"+plain.Addr().String()+"/")
			e.Setenv("NOTFOUND", strings.Replace(notFound.URL, "http", "ws", 1)+"/")
			e.Setenv("FREE", free.Addr().String())
			e.Setenv("REPO", repo(t))
			e.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector would hold each process for a second
			return free.Close()
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
	t.Parallel()
	l := listen(t)
	serveReference(t, l)
	file := filepath.Join(t.TempDir(), "report.json")
	var stdout, stderr bytes.Buffer
	code := Main([]string{"run", "ws://" + l.Addr().String() + "/", "--skip", "abnormal/outage-5s", "--close-timeout", "800ms",
		"--patience", "4s", "--json", file}, &stdout, &stderr)
	if code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, stdout.String(), stderr.String())
	}
	if err := fits(file, "report"); err != nil {
		t.Error(err)
	}
}

const schemasAt = "https://github.com/finwait/finwait/docs/"

// fits tells what of a JSON report is not as a schema in docs says.
func fits(file, schemaName string) error {
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"report", "crowd", "diff", "matrix"} { // some refer to the first
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name+".schema.json"))
		if err != nil {
			return err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		if err := compiler.AddResource(schemasAt+name+".schema.json", value); err != nil {
			return err
		}
	}
	schema, err := compiler.Compile(schemasAt + schemaName + ".schema.json")
	if err != nil {
		return err
	}
	text, err := os.Open(file)
	if err != nil {
		return err
	}
	defer text.Close()
	value, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
