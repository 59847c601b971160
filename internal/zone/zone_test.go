package zone_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/finwait/finwait/internal/zone"
)

func TestWithout(t *testing.T) {
	for host, want := range map[string]string{
		"[fe80::1%eth0]:9000": "[fe80::1]:9000",
		"[fe80::1%eth0]":      "[fe80::1]",
		"fe80::1%eth0":        "fe80::1",
		"[fe80::1%2]:{port}":  "[fe80::1]:{port}",
		"::ffff:10.0.0.1%en0": "::ffff:10.0.0.1",
		"[::1]:9000":          "[::1]:9000",
		"127.0.0.1:9000":      "127.0.0.1:9000",
		"host:9000":           "host:9000",
	} {
		if got := zone.Without(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestIndex(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		t.Skip("no interface", err)
	}
	index := uint32(all[0].Index)
	for name, want := range map[string]uint32{
		all[0].Name: index, strconv.Itoa(all[0].Index): index, "": 0, "no such interface": 0,
	} {
		if got := zone.Index(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}
