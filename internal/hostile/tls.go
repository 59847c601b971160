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

// secure lists the servers that use TLS.
func secure() []Misbehaviour {
	return []Misbehaviour{
		{"tls-no-handshake", "does not answer a ClientHello", 0, drainTCP},
		{"tls-no-handshake-later", "does not answer a ClientHello, from the second connection on", 1, drainTCP},
		{"tls-drip", "sends a ServerHello that never ends, a byte at a time", 0, drip},
		{"tls-garbage", "answers a ClientHello with bytes that are not TLS", 0, garbage},
		{"tls-garbage-later", "sends bytes that are not TLS after its 101", 1, garbageLater},
		{"tls-after-close-notify", "sends TLS records without end after its close_notify", 0, afterCloseNotify},
		{"tls-endless-data", "sends texts without end, over TLS", 0, flood(ws.NewTextFrame(bytes.Repeat([]byte("data"), 1000)))},
	}
}

// noTLS has bytes that cannot begin a TLS record.
var noTLS = bytes.Repeat([]byte{0xff}, 4000)

// drainTCP reads below TLS until the peer has sent FIN or RST.
func drainTCP(c *conn) { _, _ = io.Copy(io.Discard, c.TCPConn) }

// drip sends the header of a handshake record of 16 KiB, then one byte of the record
// every ten milliseconds.
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
		c.writeForever(append([]byte{23, 3, 3, 1, 0}, make([]byte, 256)...), time.Millisecond) // records of application data
	}
}

// certificate makes a certificate that no client can verify.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
