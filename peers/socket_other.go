//go:build !linux

package peers

import (
	"errors"
	"fmt"
	"io"
	"runtime"
)

// What the states of TCP are elsewhere is not asked: see watchable.
const tcpClose, tcpCloseWait = -1, -2

// unsupported is the error of what only Linux can do; scenarios that need it are
// skipped.
func unsupported(what string) error {
	return fmt.Errorf("%s: %w on %s", what, errors.ErrUnsupported, runtime.GOOS)
}

func watchable() error                    { return unsupported("watch a socket without reading") }
func setReceiveBuffer(uintptr, int) error { return unsupported("choose the receive buffer") }
func cork(uintptr)                        {}
func tcpState(uintptr) int                { return 0 }
func takeError(uintptr) error             { return nil }
func goDark(uintptr) error                { return unsupported("go dark") }
func comeBack(uintptr) error              { return unsupported("come back from the dark") }
func drops(uintptr) (uint32, error)       { return 0, unsupported("count dropped segments") }
func dropFIN(uintptr) error               { return unsupported("drop FIN") }
func forget(uintptr) error                { return unsupported("forget a connection") }
func keepPort(uintptr) (io.Closer, error) { return nil, unsupported("share a port") }

// Dark tells why no peer can go dark on this host.
func Dark() error { return goDark(0) }

// NetAdmin tells why no peer can filter segments and forget connections on this host.
func NetAdmin() error { return dropFIN(0) }
