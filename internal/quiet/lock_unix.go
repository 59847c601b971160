//go:build unix && !aix && !solaris

package quiet

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const shared, alone = unix.LOCK_SH, unix.LOCK_EX

// lock takes the lock of flock(2), which belongs to the open file. It does not block, and
// tells whether another open file holds the lock.
func lock(f *os.File, how int) (held bool, err error) {
	err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return true, nil
	}
	return false, err
}
