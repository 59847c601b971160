//go:build !linux

package peers

import (
	"errors"
	"fmt"
	"io"
	"runtime"
)

// Outside Linux a peer cannot go dark, filter segments, see an RST without
// reading, or choose its receive buffer; scenarios that need it are skipped.
const (
	canWatch               = false
	tcpClose, tcpCloseWait = -1, -2
)

func unsupported() error { return fmt.Errorf("%w on %s", errors.ErrUnsupported, runtime.GOOS) }

func setReceiveBuffer(uintptr, int) error { return unsupported() }
func cork(uintptr)                        {}
func tcpState(uintptr) int                { return 0 }
func takeError(uintptr) error             { return nil }
func goDark(uintptr) error                { return unsupported() }
func comeBack(uintptr) error              { return unsupported() }
func drops(uintptr) uint32                { return 0 }
func dropFIN(uintptr) error               { return unsupported() }
func forget(uintptr) error                { return unsupported() }
func keepPort(uintptr) (io.Closer, error) { return nil, unsupported() }
func unacked(uintptr) (int, error)        { return 0, unsupported() }

// Dark tells whether this host lets a peer go dark without privilege.
func Dark() error { return unsupported() }

// NetAdmin tells whether it lets a peer filter segments and forget connections.
func NetAdmin() error { return unsupported() }
