//go:build !linux

package sockets

import (
	"errors"
	"testing"
)

func TestOpenIsUnsupported(t *testing.T) {
	if o, err := Open(); o != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, %v", o, err)
	}
}
