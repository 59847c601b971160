package peers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"syscall"
	"time"
)

// HintedError is an error of opening a connection with what its reader can do
// about it.
type HintedError struct {
	Err  error
	Hint string // such as "is the server listening there?"
}

func (e *HintedError) Error() string { return e.Err.Error() }

func (e *HintedError) Unwrap() error { return e.Err }

// EndedError says that the server ended the connection before a step of the script
// that needed it.
type EndedError struct {
	Ending Ending // Open: it only sent a Close frame
	Close  *Close // its first Close frame; nil: it sent none
}

func (e *EndedError) Error() string {
	switch {
	case e.Ending == FIN && e.Close != nil:
		return "the server closed the connection (" + e.Close.String() + ", FIN)"
	case e.Ending != Open:
		return "the server ended TCP (" + string(e.Ending) + ")"
	}
	return "the server sent " + e.Close.String()
}

// SilentError says that the server sent nothing until the limit.
type SilentError struct{ Limit time.Duration }

func (e *SilentError) Error() string { return fmt.Sprintf("the server said nothing for %s", e.Limit) }

// StatusError says that the server answered the upgrade request with another status
// than 101.
type StatusError struct {
	Status int
	URI    string // that was asked for, without secrets

	// RetryAfter is how long the server asks to wait (RFC 9110, 10.2.3); 0: it does not say, or
	// gives a date.
	RetryAfter time.Duration
}

// Busy reports whether the server may take the connection later: 429 (RFC 6585, 4) or 503 (RFC
// 9110, 15.6.4).
func (e *StatusError) Busy() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
}

func (e *StatusError) Error() string {
	if e.Busy() {
		return fmt.Sprintf("the server answered HTTP %d: it takes no more connections for now", e.Status)
	}
	return fmt.Sprintf("the server answered HTTP %d instead of 101 (no WebSocket at %s?)", e.Status, e.URI)
}

// TLSTimeoutError says that the TLS handshake did not end until the limit.
type TLSTimeoutError struct{ Limit time.Duration }

func (e *TLSTimeoutError) Error() string {
	return fmt.Sprintf("the TLS handshake has no end after %s", e.Limit)
}

// TLSHandshakeError says why the TLS handshake failed on the peer's side, such as for
// a certificate that it does not trust.
type TLSHandshakeError struct{ Err error }

func (e *TLSHandshakeError) Error() string { return "TLS handshake: " + e.Err.Error() }

func (e *TLSHandshakeError) Unwrap() error { return e.Err }

// TLSRefusedError says that the server ended the TLS handshake by an alert, such as
// for want of a client certificate.
type TLSRefusedError struct{ Alert tls.AlertError }

func (e *TLSRefusedError) Error() string { return "the server refused TLS: " + e.Alert.Error() }

// tlsRefused is the error where err is an alert of the server; nil: it is none.
func tlsRefused(err error) error {
	alert := new(net.OpError)
	if !errors.As(err, &alert) || alert.Op != "remote error" {
		return nil
	}
	code := reflect.ValueOf(alert.Err) // of a type that crypto/tls does not export, whose values are those of tls.AlertError
	if code.Kind() != reflect.Uint8 {
		return fmt.Errorf("the server refused TLS: %w", alert.Err)
	}
	return &TLSRefusedError{tls.AlertError(code.Uint())}
}

// Alerts of TLS (RFC 8446, 6).
const (
	alertHandshakeFailure       = tls.AlertError(40)
	alertBadCertificate         = tls.AlertError(42)
	alertUnsupportedCertificate = tls.AlertError(43)
	alertCertificateExpired     = tls.AlertError(45)
	alertCertificateUnknown     = tls.AlertError(46)
	alertUnknownCA              = tls.AlertError(48)
	alertCertificateRequired    = tls.AlertError(116)
)

// hinted adds to an error of opening the connection what its reader can do about it,
// where that is known.
func (p *Peer) hinted(err error) error {
	hint := hintFor(err)
	if hint == "" {
		if hint = hintForScheme(err, p.opt.URL.Scheme); hint == "" {
			return err
		}
	}
	return &HintedError{err, hint}
}

func hintFor(err error) string {
	var (
		dns       *net.DNSError
		refused   *TLSRefusedError
		wrongName x509.HostnameError
		invalid   x509.CertificateInvalidError
		otherCert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is the server listening there?"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "is the host's name right?"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "trust its issuer with --ca FILE, or give --insecure"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew it, set this host's clock, or give --insecure"
	case errors.As(err, &wrongName):
		return "give the URL by a name that the certificate has, or give --insecure"
	case errors.As(err, &otherCert):
		return "renew it, or give --insecure"
	case errors.As(err, &refused):
		switch refused.Alert {
		case alertCertificateRequired:
			return "it wants a client certificate, give one by --cert FILE and --key FILE"
		case alertHandshakeFailure:
			return "does it want a client certificate? give one by --cert FILE and --key FILE"
		case alertBadCertificate, alertUnsupportedCertificate, alertCertificateExpired, alertCertificateUnknown, alertUnknownCA:
			return "does it want a client certificate of another issuer or time? give that by --cert FILE and --key FILE"
		}
	}
	return ""
}

// hintForScheme tells where the other scheme may be the right one.
func hintForScheme(err error, scheme string) string {
	var status *StatusError
	var ended *EndedError
	var handshake *TLSHandshakeError
	cut := errors.As(err, &ended) && ended.Ending != Open && (ended.Ending != FIN || ended.Close == nil)
	silent := cut || errors.As(err, new(*SilentError))
	switch {
	case errors.As(err, new(tls.RecordHeaderError)), errors.As(err, new(*TLSTimeoutError)),
		errors.As(err, &handshake) && errors.Is(handshake, io.EOF):
		return "does the server speak TLS there? try ws://"
	case scheme == "ws" && (silent || errors.As(err, &status) && status.Status == http.StatusBadRequest):
		return "is it a WebSocket server? if it speaks TLS, give wss://"
	case scheme == "wss" && silent:
		return "is it a WebSocket server, and at this path?"
	}
	return ""
}
