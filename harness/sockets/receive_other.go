//go:build !linux

package sockets

import (
	"errors"

	"github.com/mdlayher/netlink"
)

func receive(*netlink.Conn, []byte, func(data []byte, cpu int)) error { return errors.ErrUnsupported }

func prefer() {}

func (m *marks) run(<-chan struct{}) {}

func tellCPU(*netlink.Conn) error { return errors.ErrUnsupported }
