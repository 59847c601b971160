//go:build !linux

package sockets

import (
	"errors"
	"time"

	"github.com/mdlayher/netlink"
)

func receive(*netlink.Conn, []byte, func(data []byte, cpu int)) error { return errors.ErrUnsupported }

func receiveDump(*netlink.Conn, []byte, func(data []byte, by time.Time)) error {
	return errors.ErrUnsupported
}

func raisePriority() {}

func (m *marks) run(time.Duration, <-chan struct{}) {}

func attachCPUFilter(*netlink.Conn) error { return errors.ErrUnsupported }
