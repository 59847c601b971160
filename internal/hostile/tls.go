package hostile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"time"

	"github.com/gobwas/ws"
)

// secure are the servers of wss.
func secure() []Misbehaviour {
	return []Misbehaviour{
		{"tls-no-handshake", "says nothing to a ClientHello", 0, drainTCP},
		{"tls-no-handshake-later", "says nothing to a ClientHello, from the second connection on", 1, drainTCP},
		{"tls-drip", "sends a ServerHello a byte at a time that never ends", 0, drip},
		{"tls-garbage", "answers a ClientHello with what is no TLS", 0, garbage},
		{"tls-garbage-later", "sends what is no TLS once it has upgraded", 1, garbageLater},
		{"tls-after-close-notify", "sends TLS records without end behind its close_notify", 0, afterCloseNotify},
		{"tls-endless-data", "sends texts without end, over TLS", 0, flood(ws.NewTextFrame(bytes.Repeat([]byte("data"), 1000)))},
	}
}

// noTLS begins like no TLS record.
var noTLS = bytes.Repeat([]byte{0xff}, 4000)

// drainTCP reads below TLS until the peer has sent FIN or RST.
func drainTCP(c *conn) { _, _ = io.Copy(io.Discard, c.TCPConn) }

// drip sends the head of a handshake record of 16 KiB, then a byte of it every ten
// milliseconds.
func drip(c *conn) {
	c.server.running.Go(func() { drainTCP(c) })
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for b := []byte{22, 3, 3, 0x40, 0, 2}; ; b = []byte{0} {
		if _, err := c.Write(b); err != nil {
			return
		}
		<-ticker.C
	}
}

func garbage(c *conn) {
	_, _ = c.Read(make([]byte, 1))
	_, _ = c.Write(noTLS)
	drainTCP(c)
}

func garbageLater(c *conn) {
	if c.upgrade() {
		_, _ = c.Write(noTLS)
		drainTCP(c)
	}
}

func afterCloseNotify(c *conn) {
	if c.upgrade() {
		_ = c.out.(*tls.Conn).CloseWrite()
		c.out = c.TCPConn
		c.forever(append([]byte{23, 3, 3, 1, 0}, make([]byte, 256)...), time.Millisecond) // records of application data
	}
}

// certificate is one for a test; nobody can verify it.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
