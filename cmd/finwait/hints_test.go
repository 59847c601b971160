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
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issued is a certificate that signs itself, and the file that has it with its key.
func issued(t *testing.T, change func(*x509.Certificate)) (own tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "own.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestHints: what is wrong with TLS is said with what helps against it, and a
// client certificate can be presented.
func TestHints(t *testing.T) {
	right, trusted := issued(t, func(*x509.Certificate) {})
	_, stranger := issued(t, func(*x509.Certificate) {})
	expired, expiredFile := issued(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	other, otherFile := issued(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} })
	clients := x509.NewCertPool()
	if pem, err := os.ReadFile(trusted); err != nil || !clients.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	const name = "give the URL by a name that the certificate has, or give --insecure\n"
	for _, test := range []struct {
		name   string
		server *tls.Config
		args   []string
		want   string // the end of the error; empty: it runs
	}{
		{"trusted", &tls.Config{Certificates: []tls.Certificate{right}}, []string{"--ca", trusted}, ""},
		{"unknown issuer", &tls.Config{Certificates: []tls.Certificate{right}}, nil, "signed by unknown authority: trust " +
			"its issuer with --ca FILE, or give --insecure\n"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{expired}}, []string{"--ca", expiredFile},
			": renew it, set this host's clock, or give --insecure\n"},
		{"no IP address", &tls.Config{Certificates: []tls.Certificate{other}}, []string{"--ca", otherFile}, name},
		{"client certificate", &tls.Config{Certificates: []tls.Certificate{right},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
			[]string{"--ca", trusted}, "the server refused TLS: tls: certificate required: it wants a client certificate, " +
				"give one by --cert FILE and --key FILE\n"},
		{"client certificate, TLS 1.2", &tls.Config{Certificates: []tls.Certificate{right},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MaxVersion: tls.VersionTLS12},
			[]string{"--ca", trusted}, "give one by --cert FILE and --key FILE\n"},
		{"another client certificate", &tls.Config{Certificates: []tls.Certificate{right},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
			[]string{"--ca", trusted, "--cert", stranger}, "give that by --cert FILE and --key FILE\n"},
		{"its own", &tls.Config{Certificates: []tls.Certificate{right}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
			[]string{"--ca", trusted, "--cert", trusted, "--key", trusted}, ""},
		{"a key of another", &tls.Config{Certificates: []tls.Certificate{right}}, []string{"--cert", trusted, "--key",
			stranger}, "and its key, without a passphrase, by --key\n"},
		{"no key", &tls.Config{Certificates: []tls.Certificate{right}}, []string{"--cert", filepath.Join(t.TempDir(),
			"missing")}, "no such file or directory: give a client certificate in PEM by --cert and its key, without a " +
			"passphrase, by --key\n"},
		{"a key alone", &tls.Config{Certificates: []tls.Certificate{right}}, []string{"--key", trusted},
			"--key is the key of a certificate: give the certificate by --cert\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			serveReference(t, tls.NewListener(l, test.server))
			var stdout, stderr bytes.Buffer
			code := Main(append([]string{"run", "wss://" + l.Addr().String() + "/", "--only", "sanity/echo"},
				test.args...), &stdout, &stderr)
			if test.want == "" {
				if code != exitOK {
					t.Errorf("exit status %d: %s%s", code, &stdout, &stderr)
				}
				return
			}
			if code != exitNotDone || !strings.HasSuffix(stderr.String(), test.want) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("exit status %d: %q, want %q", code, &stderr, test.want)
			}
		})
	}
}
