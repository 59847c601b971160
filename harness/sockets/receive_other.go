//go:build !linux

package sockets

import (
	"errors"

	"github.com/mdlayher/netlink"
)

func prefer() {}

func receive(*netlink.Conn, []byte, func(data []byte)) error { return errors.ErrUnsupported }
