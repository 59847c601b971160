package flags

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/finwait/finwait/internal/input"
)

// TLS says which certificates finwait trusts on wss, and which one it presents.
type TLS struct {
	CA, Cert, Key string // PEM files; the key may be in the file of the certificate
	Insecure      bool
}

// Config reads the files. It returns nil if no field is set.
func (t TLS) Config() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	config := &tls.Config{InsecureSkipVerify: t.Insecure}
	if t.CA != "" {
		pool, err := Authorities(t.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		config.RootCAs = pool
	}
	switch {
	case t.Cert != "":
		own, err := identity(t.Cert, cmp.Or(t.Key, t.Cert))
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	case t.Key != "":
		return nil, errors.New("--key is the key of a certificate: give the certificate by --cert")
	}
	return config, nil
}

// Authorities reads the certificates in a PEM file.
func Authorities(file string) (*x509.CertPool, error) {
	pem, err := input.Read(file, input.Keys)
	if err != nil {
		return nil, fmt.Errorf("%w: give a file with the issuer's certificate in PEM", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate: give a file with the issuer's certificate in PEM", file)
	}
	return pool, nil
}

// identity reads a certificate and its key.
func identity(cert, key string) (tls.Certificate, error) {
	const advice = "give a client certificate in PEM by --cert and its key, without a passphrase, by --key"
	certificate, err := input.Read(cert, input.Keys)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %s", err, advice)
	}
	secret, err := input.Read(key, input.Keys)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %s", err, advice)
	}
	own, err := tls.X509KeyPair(certificate, secret)
	if err != nil {
		return own, fmt.Errorf("%s with the key in %s: %w: %s", cert, key, err, advice)
	}
	return own, nil
}
